// A run without a database: one instance after the other, planned by the same rules as any run. For people who try a DAG out.
import type { ExecutionReport } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import type { RunUuid, VersionId } from '#contract/ids.ts';
import type { RunState } from '#contract/states.ts';
import { buildGraph } from './graph.ts';
import { beginPlan, instancesOf, type Plan, type PlanLimits } from './plan.ts';
import { createInstances, recordOutcome, settle, startRun, wakeInstances } from './plan-run.ts';
import { outcomeOf } from './report-outcome.ts';
import { emptySnapshot, type Instance, recordLength, type RunSnapshot, setState } from './run-snapshot.ts';

/** Times are epoch milliseconds. */
export interface TrialRequest {
  readonly dag: Dag;
  readonly runId: string;
  readonly logicalDate: number | null;
  readonly now: number;
  readonly limits: PlanLimits;
}

/** One run, moved on by its caller: take what is next, begin it, end it with its report. Its clock is the caller's. */
export class TrialRun {
  readonly run: RunSnapshot;
  readonly #limits: PlanLimits;
  readonly #ready: Instance[] = [];

  constructor({ dag, runId, logicalDate, now, limits }: TrialRequest) {
    this.#limits = limits;
    this.run = emptySnapshot({
      id: 'trial' as RunUuid, dagId: dag.dag_id, runId, runType: 'manual', versionId: 'trial' as VersionId, graph: buildGraph(dag), logicalDate, runAfter: now, state: 'queued', startDate: null, endDate: null,
    });
    const plan = beginPlan(this.run, now);
    createInstances(plan);
    startRun(plan);
    this.#conclude(plan);
  }

  get state(): RunState {
    return this.run.state;
  }

  /** All instances, in the order of the graph. */
  get instances(): readonly Instance[] {
    return [...instancesOf(this.run)];
  }

  /** The next instance that may start, running from now on. Null: nothing may, for the moment or for good. */
  begin(now: number): Instance | null {
    const instance = this.#ready.shift();
    if (instance === undefined) return null;
    setState(this.run, instance, 'running');
    instance.startedAt ??= now;
    return instance;
  }

  /** When the first instance that waits for a time (a retry, a sensor's next look) may go on; null when none waits. */
  get nextWake(): number | null {
    const waits = this.instances.flatMap((instance) => instance.wakeAt ?? []);
    return waits.length === 0 ? null : Math.min(...waits);
  }

  /** Time has passed. */
  wake(now: number): void {
    const plan = beginPlan(this.run, now);
    wakeInstances(plan);
    this.#conclude(plan);
  }

  /** An instance that was begun ended. */
  end(instance: Instance, report: ExecutionReport, now: number): void {
    for (const xcom of report.xcoms ?? []) recordLength(this.run, instance, { key: xcom.key, mappedLength: xcom.mapped_length });
    instance.renderedMapIndex = report.rendered_map_index ?? instance.renderedMapIndex;
    const plan = beginPlan(this.run, now);
    recordOutcome(plan, instance, { outcome: outcomeOf(report), limits: this.#limits });
    this.#conclude(plan);
  }

  #conclude(plan: Plan): void {
    settle(plan, this.#limits);
    this.#ready.push(...plan.ready);
    const left = this.#ready.filter((instance) => instance.state === 'scheduled');
    this.#ready.splice(0, this.#ready.length, ...left);
  }
}
