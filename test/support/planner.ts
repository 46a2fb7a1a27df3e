// Drives the planner by hand in tests: outcomes in, states out, on a clock of its own. No process, no database.
import assert from 'node:assert/strict';
import type { SkipDecision } from '#contract/attempt.ts';
import type { Dag, Task, TaskGroup } from '#contract/dag.ts';
import type { RunUuid, VersionId } from '#contract/ids.ts';
import type { Cause, RunState, TaskState } from '#contract/states.ts';
import { buildGraph } from '#core/graph.ts';
import { beginPlan, type Plan, type PlanLimits } from '#core/plan.ts';
import { createInstances, markAll, type Outcome, recordOutcome, settle, startRun, timeOutRun, wakeInstances } from '#core/plan-run.ts';
import { emptySnapshot, type Instance, recordLength, type RunSnapshot, setState } from '#core/run-snapshot.ts';

/** A task of dag.json that depends on others. */
export function task(id: string, dependsOn: readonly string[] = [], more: Partial<Task> = {}): Task {
  return { task_id: id, operator: 'PythonOperator', body: { kind: 'python', file: 'dag.py', class: 'PythonOperator' }, depends_on: [...dependsOn], ...more };
}

/** A task that needs no process. */
export function empty(id: string, dependsOn: readonly string[] = [], more: Partial<Task> = {}): Task {
  return task(id, dependsOn, { operator: 'EmptyOperator', body: { kind: 'empty' }, ...more });
}

/** The product of arguments, each a literal's length or the name of the task whose return value is mapped over. */
export function product(...sources: readonly (number | string)[]): NonNullable<Task['expand']> {
  return { kind: 'product', arguments: Object.fromEntries(sources.map((source, at) => [`a${at}`, typeof source === 'number' ? { kind: 'literal', length: source } : { kind: 'xcom', task_id: source, key: 'return_value' }])) };
}

/** A mapped group. */
export function group(id: string, expand: TaskGroup['expand'], parent?: string): TaskGroup {
  return { group_id: id, ...(expand === undefined ? {} : { expand }), ...(parent === undefined ? {} : { parent }) };
}

const LIMITS: PlanLimits = { maxMapLength: 1024, infraRetries: 3, infraRetryDelayMs: 200 };
const LOGICAL_DATE = Date.UTC(2026, 0, 1);

/** How an execution ends: its pushed lengths by key (true: the return value), skips, or a failure. */
export interface Ending {
  readonly pushes?: number | null | Readonly<Record<string, number | null>>;
  readonly skips?: SkipDecision;
}

/** One run under test. Names are `task` or `task[index]`. */
export class Planner {
  readonly run: RunSnapshot;
  readonly cancelled: string[] = [];
  now = LOGICAL_DATE + 1000;
  /** Instances that were given out to run and have not begun. */
  readonly #ready = new Map<string, Instance>();
  lastPlan: Plan;

  constructor(tasks: readonly Task[], more: Partial<Dag> = {}) {
    const dag: Dag = { schema_version: '1.0', dag_id: 'd', fileloc: 'dag.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [...tasks], ...more };
    this.run = emptySnapshot({
      id: 'r' as RunUuid, dagId: 'd', runId: 'manual__1', runType: 'manual', versionId: 'v' as VersionId, graph: buildGraph(dag), logicalDate: LOGICAL_DATE, runAfter: LOGICAL_DATE,
      state: 'queued', startDate: null, endDate: null,
    });
    this.lastPlan = beginPlan(this.run, this.now);
    createInstances(this.lastPlan);
    startRun(this.lastPlan);
    this.#conclude();
  }

  get runState(): RunState {
    return this.run.state;
  }

  /** Names that may start now, in the order in which they became ready. */
  get ready(): string[] {
    return [...this.#ready.keys()];
  }

  get(name: string): Instance {
    const [, id = '', index] = /^(.*?)(?:\[(-?\d+)\])?$/.exec(name) ?? [];
    const instance = this.run.tasks[this.run.graph.byId.get(id) ?? -1]?.instances.get(index === undefined ? -1 : Number(index));
    assert.ok(instance, `there is no instance ${name}`);
    return instance;
  }

  state(name: string): TaskState {
    return this.get(name).state;
  }

  /** States of all instances of a task by index. */
  states(id: string): TaskState[] {
    const instances = this.run.tasks[this.run.graph.byId.get(id) ?? -1]?.instances ?? new Map<number, Instance>();
    return [...instances].sort(([a], [b]) => a - b).map(([, instance]) => instance.state);
  }

  /** Begins ready instances. */
  begin(...names: readonly string[]): this {
    for (const name of names) {
      assert.ok(this.#ready.delete(name), `${name} is not ready, only ${this.ready.join(', ')}`);
      setState(this.run, this.get(name), 'running');
      this.get(name).startedAt ??= this.now;
    }
    return this;
  }

  /** Runs instances to success; those that are not running yet begin first. */
  succeed(names: string | readonly string[], ending: Ending = {}): this {
    for (const name of typeof names === 'string' ? [names] : names) {
      const { pushes } = ending;
      const byKey = typeof pushes === 'number' || pushes === null ? { return_value: pushes } : (pushes ?? {});
      for (const [key, mappedLength] of Object.entries(byKey)) recordLength(this.run, this.get(name), { key, mappedLength });
      this.end(name, { kind: 'success', skips: ending.skips ?? null });
    }
    return this;
  }

  fail(name: string, how: { cause?: Cause; noRetry?: boolean } = {}): this {
    return this.end(name, { kind: 'failed', cause: how.cause ?? 'user_error', noRetry: how.noRetry ?? false, reason: null });
  }

  end(name: string, outcome: Outcome): this {
    if (this.state(name) !== 'running') this.begin(name);
    this.lastPlan = beginPlan(this.run, this.now);
    recordOutcome(this.lastPlan, this.get(name), { outcome, limits: LIMITS });
    this.#conclude();
    return this;
  }

  /** Time passes; what waits for it is woken. @returns when the next one wakes, from now */
  advance(ms: number): number | null {
    this.now += ms;
    this.lastPlan = beginPlan(this.run, this.now);
    const next = wakeInstances(this.lastPlan);
    this.#conclude();
    return next === null ? null : next - this.now;
  }

  timeOut(): void {
    this.lastPlan = beginPlan(this.run, this.now);
    timeOutRun(this.lastPlan);
    this.#conclude();
  }

  /** What a person's clear does to rows, then everything is looked at again. */
  clear(...names: readonly string[]): this {
    for (const name of names) {
      const instance = this.get(name);
      setState(this.run, instance, null);
      Object.assign(instance, { maxTries: instance.tryNumber + (instance.task.task.retries ?? 0), attemptId: null, wakeAt: null, startedAt: null, endedAt: null, skips: null, infraFailures: 0 });
    }
    this.run.state = 'running';
    this.lastPlan = beginPlan(this.run, this.now);
    markAll(this.lastPlan);
    this.#conclude();
    return this;
  }

  /** Counts must be what a scan says: every test goes through here. */
  #conclude(): void {
    settle(this.lastPlan, LIMITS);
    for (const instance of this.lastPlan.ready) this.#ready.set(nameOf(instance), instance);
    for (const instance of this.lastPlan.cancels) this.cancelled.push(nameOf(instance));
    for (const [name, instance] of this.#ready) if (instance.state !== 'scheduled') this.#ready.delete(name);
  }
}

function nameOf(instance: Instance): string {
  return instance.mapIndex < 0 ? instance.task.id : `${instance.task.id}[${instance.mapIndex}]`;
}

/** Asserts that the counts of a snapshot are what its instances say. */
export function assertCounts(run: RunSnapshot): void {
  let unfinished = 0;
  let active = 0;
  for (const progress of run.tasks) {
    const states = [...progress.instances.values()].map((instance) => instance.state);
    const count = (state: TaskState): number => states.filter((other) => other === state).length;
    const { success, skipped, failed, upstreamFailed, removed } = progress;
    assert.deepEqual({ success, skipped, failed, upstreamFailed, removed }, {
      success: count('success'), skipped: count('skipped'), failed: count('failed'), upstreamFailed: count('upstream_failed'), removed: count('removed'),
    }, progress.task.id);
    const open = states.filter((state) => state === null || !['success', 'skipped', 'failed', 'upstream_failed', 'removed'].includes(state));
    unfinished += open.length;
    active += open.filter((state) => state !== null).length;
  }
  assert.deepEqual({ unfinished: run.unfinished, active: run.active }, { unfinished, active });
}
