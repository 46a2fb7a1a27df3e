// The leader makes room on its disk: what an open execution left stays, and still counts.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { useTimeSource } from '#platform/clock.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { dagOf, task } from '../../test/support/rows.ts';

const SWEEP_EVERY_MS = 10_000;
const SWEEPS = 20;

afterEach(() => useTimeSource(null));

/** Sweeps follow each other at once. @returns a promise of the sweep with that number */
function hurrySweeps(): (nth: number) => Promise<void> {
  let swept = 0;
  let look: () => void = () => undefined;
  useTimeSource({ monotonicMs: () => performance.now(), wallMs: () => Date.now(), after: (ms, run, { keepsAlive }) => {
    const timer = setTimeout(() => {
      run();
      if (ms !== SWEEP_EVERY_MS) return;
      swept += 1;
      look();
    }, ms === SWEEP_EVERY_MS ? 5 : ms);
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  } });
  return (nth) => new Promise((resolve) => void (look = () => swept >= nth && resolve()));
}

test('a file is put aside and stays until no execution in it is open', async () => {
  const untilSwept = hurrySweeps();
  await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b')])]);
  const files = (): string[] => readdirSync(join(engine.home, 'outcomes'));
  const run = await engine.trigger('d');
  const [a, b] = [await engine.job('a'), await engine.job('b')];
  engine.leave(a, { xcoms: { return_value: 7 } });
  engine.leave(b);
  await engine.report(b);
  await untilSwept(SWEEPS);
  assert.deepEqual(files().map((name) => name.startsWith('records.')), [true]);
  // Its run is read again: nobody's execution for a moment, and still open.
  await engine.rows("select pg_notify('leoflow_run', $1)", [run]);
  await untilSwept(2 * SWEEPS);
  engine.executor.kill(a);
  await engine.untilRun(run, 'success');
  await untilSwept(4 * SWEEPS);
  assert.deepEqual(files(), []);
});
