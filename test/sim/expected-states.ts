// How instances of the world must end, given how their upstreams ended: trigger rules over final states, written once more and as plainly as possible.
import type { Task } from '#contract/dag.ts';
import type { SimDag } from './workload.ts';

/** An instance as its row says at the end. */
export interface FinalInstance { readonly taskId: string; readonly mapIndex: number; readonly state: string | null; readonly tries: number }

/** What does not fit, as text; nothing when the run ended as it must. */
export function findUnexpected(sim: SimDag, run: { readonly state: string; readonly instances: readonly FinalInstance[] }): string[] {
  const found: string[] = [];
  const byTask = Map.groupBy(run.instances, (instance) => instance.taskId);
  for (const task of sim.dag.tasks) found.push(...judgeTask(task, { sim, byTask }));
  const inner = new Set(sim.dag.tasks.flatMap((task) => task.depends_on));
  const isBad = run.instances.some((one) => !inner.has(one.taskId) && (one.state === 'failed' || one.state === 'upstream_failed'));
  const wanted = isBad ? 'failed' : 'success';
  if (run.state !== wanted) found.push(`the run is ${run.state}, not ${wanted}`);
  return found;
}

function judgeTask(task: Task, known: { sim: SimDag; byTask: ReadonlyMap<string, readonly FinalInstance[]> }): string[] {
  const plan = known.sim.plans.get(task.task_id);
  if (plan === undefined) throw new Error(`no plan for ${task.task_id}`);
  const upstream = task.depends_on.flatMap((id) => (known.byTask.get(id) ?? []).map((one) => one.state ?? 'none'));
  const own = known.byTask.get(task.task_id) ?? [];
  const verdicts = verdictsOf(task.trigger_rule ?? 'all_success', upstream);
  if (!verdicts.includes('runs')) return own.length === 1 ? own.flatMap((one) => complain(one, verdicts, 0)) : [`${task.task_id} has ${own.length} instances`];
  const isFailed = plan.failures > (task.retries ?? 0);
  const ended = isFailed ? 'failed' : plan.last;
  const tries = isFailed ? (task.retries ?? 0) + 1 : plan.failures + 1;
  if (task.expand === undefined) return own.length === 1 ? own.flatMap((one) => complain(one, [ended], tries)) : [`${task.task_id} has ${own.length} instances`];
  const length = known.sim.plans.get(task.depends_on[0] ?? '')?.listLength ?? 0;
  if (length === 0) return own.flatMap((one) => complain(one, ['skipped'], 0));
  const indexes = own.map((one) => one.mapIndex).sort((a, b) => a - b).join();
  if (indexes !== Array.from({ length }, (_, index) => index).join()) return [`${task.task_id} has the map indexes ${indexes}, not 0 to ${length - 1}`];
  return own.flatMap((one) => complain(one, [ended], tries));
}

function complain(one: FinalInstance, states: readonly string[], tries: number): string[] {
  const name = one.mapIndex < 0 ? one.taskId : `${one.taskId}[${one.mapIndex}]`;
  if (!states.includes(one.state ?? 'none')) return [`${name} is ${String(one.state)}, not ${states.join(' or ')}`];
  return one.tries === tries || tries === 0 ? [] : [`${name} used ${one.tries} tries, not ${tries}`];
}

/** What a rule may make of upstream instances that have all ended. With failed and skipped ones it depends on which came first. */
function verdictsOf(rule: string, upstream: readonly string[]): ('runs' | 'skipped' | 'upstream_failed')[] {
  if (upstream.length === 0) return ['runs'];
  const count = (...states: string[]): number => upstream.filter((state) => states.includes(state)).length;
  const [good, skipped, bad] = [count('success'), count('skipped'), count('failed', 'upstream_failed')];
  switch (rule) {
    case 'all_success': return bad > 0 && skipped > 0 ? ['upstream_failed', 'skipped'] : bad > 0 ? ['upstream_failed'] : skipped > 0 ? ['skipped'] : ['runs'];
    case 'all_failed': return good + skipped > 0 ? ['skipped'] : ['runs'];
    case 'all_done': return ['runs'];
    case 'all_done_min_one_success': return skipped > 0 ? ['skipped'] : good > 0 ? ['runs'] : ['upstream_failed'];
    case 'one_success': return good > 0 ? ['runs'] : skipped === upstream.length ? ['skipped'] : ['upstream_failed'];
    case 'one_failed': return bad > 0 ? ['runs'] : ['skipped'];
    case 'one_done': return good + count('failed') > 0 ? ['runs'] : ['skipped'];
    case 'none_failed': return bad > 0 ? ['upstream_failed'] : ['runs'];
    case 'none_failed_min_one_success': return bad > 0 ? ['upstream_failed'] : skipped === upstream.length ? ['skipped'] : ['runs'];
    case 'none_skipped': return skipped > 0 ? ['skipped'] : ['runs'];
    case 'all_skipped': return good + bad > 0 ? ['skipped'] : ['runs'];
    default: throw new Error(`no such rule in the world: ${rule}`);
  }
}
