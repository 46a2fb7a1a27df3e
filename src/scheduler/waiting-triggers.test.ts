// How many triggers a host is handed, and how long what it cleans up is remembered.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import type { AttemptId, RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import { useTimeSource } from '#platform/clock.ts';
import { type WaitingTrigger, WaitingTriggers } from './waiting-triggers.ts';

const VERSION = 'v' as VersionId;
const never = new AbortController().signal;

/** Time stands still until a test moves it; what is due then is done in order. */
class MovedTime {
  #now = 100_000;
  #due: { readonly at: number; readonly run: () => void }[] = [];

  constructor() {
    useTimeSource({
      monotonicMs: () => this.#now, wallMs: () => this.#now,
      after: (ms, run) => {
        const timer = { at: this.#now + ms, run };
        this.#due.push(timer);
        return () => void (this.#due = this.#due.filter((one) => one !== timer));
      },
    });
  }

  move(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
  }
}

const idOf = (n: number): TriggerId => `t${n}` as TriggerId;
const triggerOf = (n: number): WaitingTrigger => ({
  id: idOf(n), run: 'r' as RunUuid, versionId: VERSION, executionId: null,
  order: { id: idOf(n), classpath: 'm.T', kwargs: '{}', dag_id: 'd', run_id: 'r', task_id: 'a', map_index: n, try_number: 1, attempt_id: 'a' as AttemptId },
});

describe('triggers that wait', () => {
  let time: MovedTime;
  let hosted: boolean[];
  let waiting: WaitingTriggers;
  const watch = (running: readonly TriggerId[], ending: readonly TriggerId[] = []): ReturnType<WaitingTriggers['watch']> => waiting.watch({ fork_server: 'f', pid: 7, running, ending }, never);

  beforeEach(() => {
    time = new MovedTime();
    hosted = [];
    waiting = new WaitingTriggers({ hostTriggers: (_, wanted) => void hosted.push(wanted), versionOf: () => VERSION }, (id) => Promise.resolve(`token of ${id}`), () => undefined);
  });
  afterEach(() => useTimeSource(null));

  it('a host is handed no more than it may name; the rest follows as there is room', async () => {
    const most = LIMITS.maxHostTriggers;
    const ids = Array.from({ length: most }, (_, n) => idOf(n));
    for (let n = 0; n <= most; n += 1) waiting.add(triggerOf(n));
    const full = watch(ids.slice(1), ids.slice(0, 1));
    assert.equal(waiting.tell(idOf(most)), `the trigger host, process 7, runs ${most} triggers, the most that one may; it waits for one of them to end`);
    assert.equal(waiting.tell(idOf(1)), 'the trigger host, process 7, runs it');
    waiting.remove(idOf(1));
    assert.deepEqual(await full, { create: [], cancel: [idOf(1)], stop: false });
    const { create } = await watch(ids.slice(2), []);
    assert.deepEqual(create.map(({ id }) => id), [idOf(0), idOf(most)]);
    const { create: one } = await watch(ids.slice(2), ids.slice(0, 1));
    assert.deepEqual(one.map(({ id }) => id), [idOf(most)]);
  });

  it('what a host cleans up is remembered until it has, however long that takes; then the host ends', async () => {
    waiting.add(triggerOf(1));
    const first = watch([idOf(1)]);
    waiting.remove(idOf(1));
    assert.deepEqual(await first, { create: [], cancel: [idOf(1)], stop: false });
    let told = watch([], [idOf(1)]);
    for (let seconds = 0; seconds < 200; seconds += 20) {
      time.move(20_000);
      assert.deepEqual(await told, { create: [], cancel: [], stop: false }, `after ${seconds} s`);
      assert.equal(waiting.findFormer(idOf(1))?.id, idOf(1), `after ${seconds} s`);
      told = watch([], [idOf(1)]);
    }
    waiting.close();
    await assert.rejects(told, /does not lead/);
  });

  it('a version that nothing waits for is forgotten with its host, and no question brings it back', async () => {
    waiting.add(triggerOf(1));
    waiting.remove(idOf(1));
    const told = watch([]);
    time.move(15_000);
    assert.deepEqual(hosted, [true], 'whoever defers once often does so again');
    time.move(15_000);
    assert.deepEqual(hosted, [true, false]);
    assert.deepEqual([await told, await watch([])], [{ create: [], cancel: [], stop: true }, { create: [], cancel: [], stop: true }]);
    // A host that was remembered would be said to run it.
    waiting.add(triggerOf(2));
    assert.equal(waiting.tell(idOf(2)), 'no trigger host runs it yet');
  });

  it('a host that has fallen silent holds nothing up', () => {
    waiting.add(triggerOf(1));
    void watch([idOf(1)]);
    waiting.remove(idOf(1));
    time.move(120_000);
    assert.deepEqual([waiting.findFormer(idOf(1)), hosted], [null, [true, false]]);
  });
});
