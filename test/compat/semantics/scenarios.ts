// What is done with each DAG of the suite. Most are triggered once and read; those that need more stand here.
import type { Notes, Play, Stage } from './play.ts';
import { Play as Played } from './play.ts';

type Scenario = (play: Play) => Promise<void>;

const FIRST = '2026-01-01T00:00:00Z';
const SECOND = '2026-01-02T00:00:00Z';
const THIRD = '2026-01-03T00:00:00Z';
const SLOW = { task: 'slow', state: 'running' };

/** Plays the scenario of a DAG. @returns what it noted */
export async function playScenario(stage: Stage, dagId: string): Promise<Notes> {
  const play = new Played(stage, dagId);
  await play.setPaused(PAUSED.has(dagId));
  await (SCENARIOS[dagId] ?? (dagId.startsWith('catchup_') ? scheduled : once))(play);
  return play.notes;
}

/** DAGs that are paused when their scenario begins. */
const PAUSED = new Set(['trigger_while_paused', 'manual_interval_of_cron', 'manual_interval_of_cron_interval']);

const once: Scenario = async (play) => {
  const run = await play.trigger();
  await play.ended(run);
  await play.note('run', run);
};

const scheduled: Scenario = (play) => play.noteScheduled();

const oneAfterTheOther: Scenario = async (play) => {
  await play.noteScheduled();
  await play.noteOrderOfRuns();
};

/** Triggered once, then something is done, then it is read again. */
function thenAgain(act: (play: Play, run: string) => Promise<unknown>): Scenario {
  return async (play) => {
    const run = await play.trigger();
    await play.ended(run);
    await play.note('before', run);
    await act(play, run);
    await play.ended(run);
    await play.note('after', run);
  };
}

/** Three runs; something is done from the second one. */
function acrossRuns(act: (play: Play, second: string) => Promise<unknown>): Scenario {
  return async (play) => {
    const runs: string[] = [];
    for (const date of [FIRST, SECOND, THIRD]) {
      const run = await play.trigger({ date });
      runs.push(run);
      await play.ended(run);
    }
    play.notes['affected'] = await act(play, runs[1] ?? '');
    for (const run of runs) await play.ended(run);
    for (const [at, run] of runs.entries()) await play.note(`run ${at + 1}`, run);
  };
}

/** Something is done while a task is in a state. */
function while_(at: { task: string; state: string }, act: (play: Play, run: string) => Promise<unknown>): Scenario {
  return async (play) => {
    const run = await play.trigger();
    await play.reached(run, at);
    await act(play, run);
    await play.ended(run);
    await play.note('run', run);
  };
}

/** A first run, a second one that depends on it, and what happens when the first is set right. */
function past(how: { first: object; second?: object; right?: string; index?: number }): Scenario {
  return async (play) => {
    const first = await play.trigger({ date: FIRST, conf: how.first });
    await play.ended(first);
    await play.note('first', first);
    const second = await play.trigger({ date: SECOND, conf: how.second ?? {} });
    await (how.right === undefined ? play.ended(second) : play.settled(second));
    await play.note('second', second);
    if (how.right === undefined) return;
    await play.mark(first, how.right, { new_state: 'success', ...(how.index === undefined ? {} : { index: how.index }) });
    await play.ended(second);
    await play.note('second, first set right', second);
  };
}

/** Two runs at the same time. */
function together(confs: readonly [object, object], dates?: readonly [string, string]): Scenario {
  return async (play) => {
    const runs: string[] = [];
    for (const [at, conf] of confs.entries()) runs.push(await play.trigger({ conf: { ...conf, meeting: play.meeting }, ...(dates === undefined ? {} : { date: dates[at] ?? FIRST }) }));
    for (const [at, run] of runs.entries()) {
      await play.ended(run);
      await play.note(at === 0 ? 'first' : 'second', run);
    }
  };
}

const order = (tasks: RegExp): Scenario => async (play) => {
  const run = await play.trigger();
  await play.ended(run);
  await play.note('run', run);
  await play.noteOrder(run, tasks);
};

const overlap: Scenario = async (play) => {
  const run = await play.trigger();
  await play.ended(run);
  await play.note('run', run);
  await play.noteOverlap(run);
};

const dates: Scenario = async (play) => {
  for (const date of ['2026-01-10T12:00:00Z', '2026-01-10T03:00:00Z']) await play.noteDates(date, await play.trigger({ date }));
  await play.noteDates('none', await play.trigger());
};

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  // past.py
  past_must_not_have_failed: past({ first: { t: 'fail' }, right: 't' }),
  past_may_be_skipped: past({ first: { t: 'skip' } }),
  past_is_the_task_not_the_run: together([{ first: true }, { first: false }], [FIRST, SECOND]),
  past_waits_for_downstream: past({ first: { down: 'fail' }, right: 'down' }),
  past_waits_for_direct_downstream_only: past({ first: { far: 'fail' } }),
  past_first_run: past({ first: {} }),
  past_of_mapped: past({ first: { bad: 2 }, right: 'each', index: 1 }),
  async past_without_logical_date(play) {
    const first = await play.trigger({ date: FIRST, conf: { t: 'fail' } });
    await play.ended(first);
    await play.note('first', first);
    const second = await play.trigger();
    await play.ended(second);
    await play.note('second', second);
  },
  skip_waits_for_past: past({ first: { t: 'fail' }, second: { up: 'skip' } }),
  skip_does_not_wait_for_past: past({ first: { t: 'fail' }, second: { up: 'skip' } }),
  past_blocks_what_is_below: past({ first: { t: 'fail' }, right: 't' }),

  // limits.py
  limit_of_task_per_dag_1: overlap,
  limit_of_task_per_dag_2: overlap,
  limit_of_task_per_run: overlap,
  limit_of_tasks_per_run: overlap,
  pool_slots: overlap,
  limit_per_run_is_not_per_dag: together([{ me: 'a', you: 'b' }, { me: 'b', you: 'a' }]),
  limit_of_runs: together([{ first: true }, { first: false }]),
  pool_of_one: order(/weight/),
  pool_order_of_map_indexes: order(/each/),
  weight_rule_downstream: order(/long|heavy|behind/),
  weight_rule_upstream: order(/long|heavy|behind/),
  weight_rule_absolute: order(/long|heavy|behind/),
  async pool_too_small(play) {
    const run = await play.trigger();
    await play.settled(run);
    await play.note('waits', run);
    await play.markRun(run, 'failed');
    await play.ended(run);
    await play.note('ended', run);
  },

  // actions.py
  clear_one: thenAgain((play, run) => play.clear(run, { task_ids: ['b'] })),
  clear_downstream: thenAgain((play, run) => play.clear(run, { task_ids: ['b'], include_downstream: true })),
  clear_upstream: thenAgain((play, run) => play.clear(run, { task_ids: ['b'], include_upstream: true })),
  clear_run: thenAgain((play, run) => play.clearRun(run, {})),
  clear_dry_run: thenAgain(async (play, run) => (play.notes['affected'] = await play.clear(run, { task_ids: ['b'], include_downstream: true, dry_run: true }))),
  clear_without_reset: thenAgain((play, run) => play.clear(run, { task_ids: ['b'], reset_dag_runs: false })),
  clear_failed_only: thenAgain((play, run) => play.clear(run, { only_failed: true })),
  clear_run_failed_only: thenAgain((play, run) => play.clearRun(run, { only_failed: true })),
  clear_gives_new_retries: thenAgain((play, run) => play.clear(run, { only_failed: true })),
  clear_one_index: thenAgain((play, run) => play.clear(run, { task_ids: [['each', 1]], include_downstream: true })),
  clear_forgets_values: thenAgain((play, run) => play.clear(run, { task_ids: ['once'], include_downstream: true })),
  clear_while_running: while_(SLOW, (play, run) => play.clear(run, { task_ids: ['slow'] })),
  clear_while_up_for_retry: while_({ task: 'fragile', state: 'up_for_retry' }, (play, run) => play.clear(run, { task_ids: ['fragile'] })),
  clear_future: acrossRuns((play, second) => play.clear(second, { task_ids: ['a'], include_future: true })),
  clear_past: acrossRuns((play, second) => play.clear(second, { task_ids: ['b'], include_past: true })),
  clear_below_short_circuit: thenAgain((play, run) => play.clear(run, { task_ids: ['direct', 'further'] })),
  clear_group_index: thenAgain((play, run) => play.clear(run, { task_ids: [['group.a', 0]], include_downstream: true })),
  async clear_with_setups(play) {
    const run = await play.trigger();
    await play.ended(run);
    const asks = { work: { task_ids: ['w2'] }, 'work and below': { task_ids: ['w1'], include_downstream: true }, setup: { task_ids: ['s'] }, teardown: { task_ids: ['t'] }, 'last and above': { task_ids: ['w2'], include_upstream: true } };
    for (const [label, how] of Object.entries(asks)) {
      play.notes[`affected: ${label}`] = await play.clear(run, how);
      await play.ended(run);
      await play.note(label, run);
    }
  },
  async clear_a_branch(play) {
    const run = await play.trigger();
    await play.ended(run);
    await play.clear(run, { task_ids: ['b', 'c'] });
    await play.ended(run);
    await play.note('skipped ones cleared', run);
    await play.clear(run, { task_ids: ['choose'], include_downstream: true });
    await play.ended(run);
    await play.note('branch cleared', run);
  },
  async map_by_tries(play) {
    const run = await play.trigger();
    await play.ended(run);
    await play.note('three', run);
    for (const label of ['one', 'four']) {
      await play.clear(run, {});
      await play.ended(run);
      await play.note(label, run);
    }
  },
  mark_success_no_change: thenAgain((play, run) => play.noteRefusal('answer', () => play.mark(run, 'b', { new_state: 'success' }))),
  mark_failed_task_success: thenAgain((play, run) => play.mark(run, 'fragile', { new_state: 'success' })),
  mark_failed_task_skipped: thenAgain((play, run) => play.mark(run, 'fragile', { new_state: 'skipped' })),
  mark_success_task_failed: thenAgain((play, run) => play.mark(run, 'b', { new_state: 'failed' })),
  mark_one_index: thenAgain((play, run) => play.mark(run, 'each', { new_state: 'success', index: 1 })),
  mark_with_downstream: thenAgain((play, run) => play.mark(run, 'bad', { new_state: 'success', include_downstream: true })),
  mark_running_failed: while_(SLOW, (play, run) => play.mark(run, 'slow', { new_state: 'failed' })),
  mark_running_success: while_(SLOW, (play, run) => play.mark(run, 'slow', { new_state: 'success' })),
  mark_running_skipped: while_(SLOW, (play, run) => play.mark(run, 'slow', { new_state: 'skipped' })),
  mark_run_failed: while_(SLOW, (play, run) => play.markRun(run, 'failed')),
  mark_run_success: while_(SLOW, (play, run) => play.markRun(run, 'success')),
  mark_while_up_for_retry: while_({ task: 'fragile', state: 'up_for_retry' }, (play, run) => play.mark(run, 'fragile', { new_state: 'success' })),
  mark_run_success_with_teardown: while_(SLOW, (play, run) => play.markRun(run, 'success')),
  mark_run_failed_with_teardown: while_(SLOW, (play, run) => play.markRun(run, 'failed')),
  async mark_finished_run(play) {
    const run = await play.trigger();
    await play.ended(run);
    for (const state of ['failed', 'success']) {
      await play.markRun(run, state);
      await play.note(state, run);
    }
  },
  mark_run_queued: thenAgain((play, run) => play.markRun(run, 'queued')),
  async trigger_while_paused(play) {
    const run = await play.trigger();
    await play.settled(run);
    await play.note('paused', run);
    await play.setPaused(false);
    await play.ended(run);
    await play.note('unpaused', run);
  },

  async pause_while_running(play) {
    const run = await play.trigger();
    await play.reached(run, SLOW);
    await play.setPaused(true);
    await play.reached(run, { task: 'slow', state: 'success' });
    await play.settled(run);
    await play.note('paused', run);
    await play.setPaused(false);
    await play.ended(run);
    await play.note('unpaused', run);
  },
  async trigger_twice(play) {
    const run = await play.trigger({ date: FIRST, runId: 'of_trigger_twice' });
    await play.ended(run);
    await play.noteRefusal('same date', () => play.trigger({ date: FIRST, runId: 'another' }));
    await play.noteRefusal('same id', () => play.trigger({ date: SECOND, runId: 'of_trigger_twice' }));
    await play.noteRefusal('id of another type', () => play.trigger({ runId: 'scheduled__of_trigger_twice' }));
    await play.noteRefusal('id with a slash', () => play.trigger({ runId: 'a/b' }));
  },

  // values.py
  async conf_and_params(play) {
    const run = await play.trigger({ conf: { a: 5, extra: 'x' } });
    await play.ended(run);
    await play.note('run', run);
    await play.noteRefusal('wrong type', () => play.trigger({ conf: { b: 3 } }));
  },
  async templates_with_date(play) {
    const run = await play.trigger({ date: '2026-01-10T12:30:00Z', runId: 'of_templates' });
    await play.ended(run);
    await play.note('run', run);
  },
  async values_prior_dates(play) {
    for (const [date, push] of [[FIRST, true], [SECOND, false], [THIRD, true]] as const) {
      const run = await play.trigger({ date, conf: { push } });
      await play.ended(run);
      await play.note(date, run);
    }
  },

  // schedules.py
  catchup_sequential: oneAfterTheOther,
  no_catchup_after_the_end: scheduled,
  manual_interval_of_cron: dates,
  manual_interval_of_cron_interval: dates,
};
