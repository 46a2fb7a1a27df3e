// How instances of the world must end, given how their upstreams ended: trigger rules over final states, written once more and as plainly as possible.
import type { Task } from '#contract/dag.ts';
import type { SimDag } from './workload.ts';

/** An instance as its row says at the end. */
export interface FinalInstance { readonly taskId: string; readonly mapIndex: number; readonly state: string | null; readonly tries: number }

/** What does not fit, as text; nothing when the run ended as it must. */
export function findUnexpected(sim: SimDag, run: { readonly state: string; readonly instances: readonly FinalInstance[] }): string[] {
  const found: string[] = [];
  const byTask = Map.groupBy(run.instances, (instance) => instance.taskId);
  const isCutShort = sim.dag.fail_fast === true && run.instances.some(({ state }) => state === 'failed');
  if (isCutShort) found.push(...judgeCutShort(sim, run.instances));
  else for (const task of sim.dag.tasks) found.push(...judgeTask(task, { sim, byTask }));
  const inner = new Set(sim.dag.tasks.flatMap((task) => task.depends_on));
  const isBad = run.instances.some((one) => !inner.has(one.taskId) && (one.state === 'failed' || one.state === 'upstream_failed'));
  const wanted = isBad ? 'failed' : 'success';
  if (run.state !== wanted) found.push(`the run is ${run.state}, not ${wanted}`);
  return found;
}

/** fail_fast: one failed by itself; what ran then failed with it, and the rest was skipped. */
function judgeCutShort(sim: SimDag, instances: readonly FinalInstance[]): string[] {
  const found = instances.flatMap((one) => complain(one, { states: fails(sim, one.taskId) ? ['failed', 'skipped'] : ['success', 'failed', 'skipped'], tries: 0 }));
  return instances.some((one) => one.state === 'failed' && fails(sim, one.taskId)) ? found : [...found, 'fail_fast ended the run, and none of its tasks fails by itself'];
}

function fails(sim: SimDag, taskId: string): boolean {
  const task = sim.dag.tasks.find((one) => one.task_id === taskId);
  return (sim.plans.get(taskId)?.failures ?? 0) > (task?.retries ?? 0);
}

interface Known { readonly sim: SimDag; readonly byTask: ReadonlyMap<string, readonly FinalInstance[]> }

function judgeTask(task: Task, known: Known): string[] {
  const plan = known.sim.plans.get(task.task_id);
  if (plan === undefined) throw new Error(`no plan for ${task.task_id}`);
  const upstream = task.depends_on.flatMap((id) => (known.byTask.get(id) ?? []).map((one) => one.state ?? 'none'));
  const verdicts = verdictsOf(task.trigger_rule ?? 'all_success', upstream);
  if (!verdicts.includes('runs')) return judgeOne(task, known, { states: verdicts, tries: 0 });
  const most = (task.retries ?? 0) + 1;
  const ended = plan.failures >= most ? { states: ['failed'], tries: most } : { states: [plan.last], tries: plan.failures + 1 };
  return task.expand === undefined ? judgeOne(task, known, ended) : judgeMapped(task, known, ended);
}

interface Wanted { readonly states: readonly string[]; readonly tries: number }

function judgeOne(task: Task, known: Known, wanted: Wanted): string[] {
  const own = known.byTask.get(task.task_id) ?? [];
  return own.length === 1 ? own.flatMap((one) => complain(one, wanted)) : [`${task.task_id} has ${own.length} instances`];
}

function judgeMapped(task: Task, known: Known, wanted: Wanted): string[] {
  const own = known.byTask.get(task.task_id) ?? [];
  const length = known.sim.plans.get(task.depends_on[0] ?? '')?.listLength ?? 0;
  if (length === 0) return judgeOne(task, known, { states: ['skipped'], tries: 0 });
  const indexes = own.map((one) => one.mapIndex).sort((x, y) => x - y).join();
  if (indexes !== Array.from({ length }, (_, index) => index).join()) return [`${task.task_id} has the map indexes ${indexes}, not 0 to ${length - 1}`];
  return own.flatMap((one) => complain(one, wanted));
}

function complain(one: FinalInstance, { states, tries }: Wanted): string[] {
  const name = one.mapIndex < 0 ? one.taskId : `${one.taskId}[${one.mapIndex}]`;
  if (!states.includes(one.state ?? 'none')) return [`${name} is ${String(one.state)}, not ${states.join(' or ')}`];
  return one.tries === tries || tries === 0 ? [] : [`${name} used ${one.tries} tries, not ${tries}`];
}

interface Counts { readonly total: number; readonly good: number; readonly skipped: number; readonly bad: number; readonly failed: number }
type Verdict = 'runs' | 'skipped' | 'upstream_failed';

/** With failed and skipped upstreams all_success depends on which came first. */
function verdictOfAllSuccess({ bad, skipped }: Counts): readonly Verdict[] {
  if (bad > 0) return skipped > 0 ? ['upstream_failed', 'skipped'] : ['upstream_failed'];
  return skipped > 0 ? ['skipped'] : ['runs'];
}

function verdictOfMinOne({ bad, skipped, total }: Counts): readonly Verdict[] {
  if (bad > 0) return ['upstream_failed'];
  return skipped === total ? ['skipped'] : ['runs'];
}

function verdictOfOneSuccess({ good, skipped, total }: Counts): readonly Verdict[] {
  if (good > 0) return ['runs'];
  return skipped === total ? ['skipped'] : ['upstream_failed'];
}

const RULES: Readonly<Record<string, (counts: Counts) => readonly Verdict[]>> = {
  all_success: verdictOfAllSuccess,
  all_failed: ({ good, skipped }) => (good + skipped > 0 ? ['skipped'] : ['runs']),
  all_done: () => ['runs'],
  all_done_min_one_success: ({ good, skipped }) => (skipped > 0 ? ['skipped'] : good > 0 ? ['runs'] : ['upstream_failed']),
  one_success: verdictOfOneSuccess,
  one_failed: ({ bad }) => (bad > 0 ? ['runs'] : ['skipped']),
  one_done: ({ good, failed }) => (good + failed > 0 ? ['runs'] : ['skipped']),
  none_failed: ({ bad }) => (bad > 0 ? ['upstream_failed'] : ['runs']),
  none_failed_min_one_success: verdictOfMinOne,
  none_skipped: ({ skipped }) => (skipped > 0 ? ['skipped'] : ['runs']),
  all_skipped: ({ good, bad }) => (good + bad > 0 ? ['skipped'] : ['runs']),
};

/** What a rule may make of upstream instances that have all ended. */
function verdictsOf(rule: string, upstream: readonly string[]): readonly Verdict[] {
  if (upstream.length === 0) return ['runs'];
  const count = (...states: string[]): number => upstream.filter((state) => states.includes(state)).length;
  const judge = RULES[rule];
  if (judge === undefined) throw new Error(`no such rule in the world: ${rule}`);
  return judge({ total: upstream.length, good: count('success'), skipped: count('skipped'), bad: count('failed', 'upstream_failed'), failed: count('failed') });
}
