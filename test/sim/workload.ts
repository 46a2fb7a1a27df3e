// Random DAGs of the world and what their tasks do. Everything a task does follows from the seed, so its final state can be told in advance.
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import type { Dag, Task } from '#contract/dag.ts';
import { dagOf, task } from '../support/rows.ts';
import { Random } from './random.ts';
import { BEGIN_MS } from './world.ts';

/** What one execution does. */
export interface Behaviour {
  /** Values that it reads first, with what they must be. */
  readonly needs: readonly { readonly taskId: string; readonly mapIndex: number; readonly value: string }[];
  readonly durationMs: number;
  /** `vanishes`: its process ends without a word. */
  readonly end: 'reports' | 'vanishes';
  readonly report: Pick<ExecutionReport, 'outcome' | 'xcoms' | 'reschedule_in_seconds' | 'cause' | 'deferral'>;
}

/** How a task ends: after so many failed tries, and so many pokes in its last. */
export interface TaskPlan {
  readonly failures: number;
  readonly last: 'success' | 'skipped';
  readonly pokes: number;
  /** How often each of its tries waits for a trigger. In tries that are to fail the trigger does, or never fires. */
  readonly deferrals: number;
  readonly fate: Fate;
  readonly durationMs: number;
  readonly vanishes: boolean;
  /** A list of this length is its value; null: a text. */
  readonly listLength: number | null;
}

/** What a trigger of the world does, and when. */
interface Fate { readonly fate: 'fires' | 'fails' | 'silent'; readonly afterMs: number }

/** From the arguments of a trigger. */
export function fateOf(kwargs: string): Fate {
  return JSON.parse(kwargs) as Fate;
}

/** Where an execution goes on: how many deferrals lie behind it, and by whose event; a failure has none. */
export function stepOf({ resume }: Pick<ExecutionSpec, 'resume'>): { readonly step: number; readonly event: string | null; readonly hasFailed: boolean } {
  if (resume === undefined) return { step: 0, event: null, hasFailed: false };
  const { step = 0, event = null } = JSON.parse(resume.next_kwargs) as { step?: number; event?: string };
  return { step, event, hasFailed: resume.next_method === '__fail__' };
}

/** A DAG of the world with the plans of its tasks. */
export interface SimDag {
  readonly dag: Dag;
  readonly plans: ReadonlyMap<string, TaskPlan>;
  /** Slots that its schedule has, epoch milliseconds; empty for a DAG that only people trigger. */
  readonly slots: readonly number[];
  readonly triggers: readonly number[];
}

/** Pools of the world by name. */
export const SIM_POOLS: ReadonlyMap<string, number> = new Map([['narrow', 2]]);

const RULES = ['all_success', 'all_success', 'all_success', 'all_done', 'one_success', 'one_failed', 'none_failed', 'none_failed_min_one_success', 'none_skipped', 'all_failed', 'all_skipped', 'one_done', 'all_done_min_one_success'] as const;
const SLOT_MS = 60_000;

/** @param chaosMs triggers and slots fall into the first part of it */
export function makeDags(random: Random, chaosMs: number, deferrals: Random): SimDag[] {
  const dags = Array.from({ length: 2 + random.below(2) }, (_, index) => makeDag(random, { id: `d${index}`, isScheduled: index === 0 && random.chance(0.6), chaosMs }));
  return deferrals.chance(0.6) ? dags.map((sim) => letDefer(deferrals, sim)) : dags;
}

/** Some tasks wait for triggers, some of them before they run. Drawn apart: the other worlds stay as they are. */
function letDefer(random: Random, sim: SimDag): SimDag {
  const plans = new Map(sim.plans);
  const tasks = sim.dag.tasks.map((one) => {
    const plan = plans.get(one.task_id);
    if (plan === undefined || plan.pokes > 0 || !random.chance(0.35)) return one;
    const fails = { fate: random.pick(['fails', 'silent'] as const), afterMs: random.between(20, 4000) };
    plans.set(one.task_id, { ...plan, deferrals: random.below(3), fate: fails });
    return random.chance(0.3) ? { ...one, start_trigger: { classpath: 'sim.Start', kwargs: JSON.stringify({ fate: 'fires', afterMs: random.between(20, 8000) }), next_method: 'go_on', next_kwargs: '{"step":0}' } } : one;
  });
  return { ...sim, dag: { ...sim.dag, tasks }, plans };
}

function makeDag(random: Random, how: { id: string; isScheduled: boolean; chaosMs: number }): SimDag {
  const plans = new Map<string, TaskPlan>();
  const tasks: Task[] = [];
  const isFailFast = random.chance(0.2);
  for (let index = 0; index < 3 + random.below(5); index += 1) tasks.push(makeTask(random, { id: `t${index}`, earlier: tasks, plans, isScheduled: how.isScheduled, isFailFast }));
  // Some schedules begin in the past: all their slots are due at once.
  const start = (Math.ceil(BEGIN_MS / SLOT_MS) - (random.chance(0.4) ? 3 : 0)) * SLOT_MS;
  const slots = how.isScheduled ? Array.from({ length: 2 + random.below(2) }, (_, slot) => start + slot * SLOT_MS) : [];
  const dag = dagOf(how.id, tasks, {
    max_active_runs: 1 + random.below(3), ...(random.chance(0.3) ? { max_active_tasks: 2 } : {}), ...(isFailFast ? { fail_fast: true } : {}),
    ...(how.isScheduled ? {
      timetable: { kind: 'cron', expressions: ['* * * * *'], timezone: 'UTC' }, catchup: true, start_date: new Date(start).toISOString(), end_date: new Date(slots.at(-1) ?? start).toISOString(),
    } : {}),
  });
  const triggers = Array.from({ length: how.isScheduled ? random.below(2) : 1 + random.below(3) }, () => BEGIN_MS + random.between(500, how.chaosMs * 0.7));
  return { dag, plans, slots, triggers };
}

interface Surroundings { readonly id: string; readonly earlier: readonly Task[]; readonly plans: Map<string, TaskPlan>; readonly isScheduled: boolean; readonly isFailFast: boolean }

function makeTask(random: Random, { id, earlier, plans, isScheduled, isFailFast }: Surroundings): Task {
  const lists = earlier.filter((one) => (plans.get(one.task_id)?.listLength ?? null) !== null);
  const mapped = lists.length > 0 && random.chance(0.6) ? random.pick(lists) : null;
  const retries = random.below(3);
  const isSensor = mapped === null && random.chance(0.15);
  const plan = makePlan(random, { retries, isSensor, mayList: mapped === null && !isSensor });
  const upstream = mapped === null ? earlier.filter(() => random.chance(1.4 / Math.max(1, earlier.length))).map((one) => one.task_id).slice(0, 3) : [mapped.task_id];
  const waitsForPast = isScheduled && !isSensor && isAlone(upstream, mapped) && random.chance(0.5);
  plans.set(id, plan);
  if (waitsForPast) letSurvive(plans, [{ task_id: id, retries }, ...(mapped === null ? [] : [mapped])]);
  return task(id, upstream, {
    retries, retry_delay_seconds: random.below(15), ...limitsOf(random),
    ...(waitsForPast ? { depends_on_past: true } : {}),
    ...(mapped === null ? (isFailFast ? {} : ruleOf(random, upstream)) : { expand: { kind: 'product', arguments: { x: { kind: 'xcom', task_id: mapped.task_id, key: 'return_value' } } } }),
    ...(isSensor ? { sensor: { mode: 'reschedule', poke_interval_seconds: 5, timeout_seconds: 100_000 } } : {}),
  });
}

/** Whether its state depends on no task but the one that gives it its list. */
function isAlone(upstream: readonly string[], mapped: Task | null): boolean {
  return upstream.length === 0 || mapped?.depends_on.length === 0;
}

/** What later runs wait for never fails for good. */
function letSurvive(plans: Map<string, TaskPlan>, tasks: readonly Pick<Task, 'task_id' | 'retries'>[]): void {
  for (const { task_id: id, retries = 0 } of tasks) {
    const plan = plans.get(id);
    if (plan !== undefined) plans.set(id, { ...plan, failures: Math.min(plan.failures, retries) });
  }
}

function makePlan(random: Random, how: { retries: number; isSensor: boolean; mayList: boolean }): TaskPlan {
  return {
    failures: random.chance(0.35) ? 1 + random.below(how.retries + 1) : 0, last: random.chance(0.1) ? 'skipped' : 'success', pokes: how.isSensor ? 1 + random.below(2) : 0, deferrals: 0, fate: { fate: 'fires', afterMs: 0 },
    durationMs: Math.floor(random.chance(0.3) ? random.between(5000, 12_000) : random.between(20, 3000)), vanishes: random.chance(0.2),
    listLength: how.mayList && random.chance(0.3) ? random.below(4) : null,
  };
}

function limitsOf(random: Random): Partial<Task> {
  return { ...(random.chance(0.25) ? { pool: 'narrow', pool_slots: 1 + random.below(2) } : {}), ...(random.chance(0.15) ? { max_active_tis_per_dag: 1 } : {}) };
}

function ruleOf(random: Random, upstream: readonly string[]): Partial<Task> {
  return upstream.length > 0 && random.chance(0.45) ? { trigger_rule: random.pick(RULES) } : {};
}

/** What a task pushes: the same for every try, so that a reader can tell. */
export function valueOf(plan: TaskPlan, where: { runId: string; taskId: string; mapIndex: number }): string {
  const text = `${where.runId}/${where.taskId}/${where.mapIndex}`;
  return JSON.stringify(plan.listLength === null ? text : Array.from({ length: plan.listLength }, (_, index) => `${text}/${index}`));
}

/** What an execution does, from its spec and how many of its try's executions rescheduled before. */
export function behaviourOf(dags: readonly SimDag[], spec: ExecutionSpec, pokesBefore: number): Behaviour {
  const { dag, plans } = dags.find((one) => one.dag.dag_id === spec.dag_id) ?? fail(spec.dag_id);
  const own = dag.tasks.find((one) => one.task_id === spec.task_id) ?? fail(spec.task_id);
  const plan = plans.get(spec.task_id) ?? fail(spec.task_id);
  const isStrict = own.trigger_rule === undefined && own.expand === undefined;
  const needs = (isStrict ? own.depends_on : []).flatMap((taskId) => {
    const from = plans.get(taskId);
    const isMapped = dag.tasks.find((one) => one.task_id === taskId)?.expand !== undefined;
    return from === undefined || isMapped ? [] : [{ taskId, mapIndex: -1, value: valueOf(from, { runId: spec.run.run_id, taskId, mapIndex: -1 }) }];
  });
  const base = { needs, durationMs: plan.durationMs, end: 'reports' } as const;
  if (pokesBefore < plan.pokes) return { ...base, durationMs: 50, report: { outcome: 'up_for_reschedule', reschedule_in_seconds: 5 } };
  const { step, hasFailed } = stepOf(spec);
  const willFail = spec.try_number <= plan.failures;
  if (!hasFailed && step < plan.deferrals) return { ...base, durationMs: 50, report: { outcome: 'deferred', deferral: deferralOf(plan, { step: step + 1, isLast: willFail }) } };
  if (willFail || hasFailed) return { ...base, end: plan.vanishes ? 'vanishes' : 'reports', report: { outcome: 'failed' } };
  if (plan.last === 'skipped') return { ...base, report: { outcome: 'skipped' } };
  const value = valueOf(plan, { runId: spec.run.run_id, taskId: spec.task_id, mapIndex: spec.map_index });
  return { ...base, report: { outcome: 'success', xcoms: [{ key: 'return_value', value, mapped_length: plan.listLength }] } };
}

/** It fires, after as long as the task works, unless the try is to fail. */
function deferralOf({ fate, durationMs }: TaskPlan, { step, isLast }: { step: number; isLast: boolean }): NonNullable<ExecutionReport['deferral']> {
  const own: Fate = isLast ? fate : { fate: 'fires', afterMs: durationMs };
  return { classpath: 'sim.Trigger', kwargs: JSON.stringify(own), timeout_seconds: own.fate === 'silent' ? 10 : null, next_method: 'go_on', next_kwargs: JSON.stringify({ step }) };
}

function fail(what: string): never {
  throw new Error(`the world has no ${what}`);
}
