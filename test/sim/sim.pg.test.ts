// A small slice of the simulation proof: seeds are clean, a seed is the same world each time, and the simulator finds a broken engine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeMutant, listMutants, makeMutant } from './mutants.ts';
import { playSeed } from './play-seed.ts';
import { withRealDatabase } from './real-database.ts';

const SEEDS = 25;

function inFolder<R>(work: (folder: string) => R): R {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-sim-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the engine on a virtual clock', () => {
  it(`keeps every rule in ${SEEDS} worlds, and a world is the same when it is played again`, async () => {
    const home = mkdtempSync(join(tmpdir(), 'leoflow-sim-'));
    try {
      await withRealDatabase(async (real) => {
        const digests = new Map<number, string>();
        let starts = 0;
        for (let seed = 1; seed <= SEEDS; seed += 1) {
          const played = await playSeed(seed, { real, home });
          assert.deepEqual(played.violations, [], `seed ${seed}; replay: make prove-sim SEED=${seed}`);
          digests.set(seed, played.digest);
          starts += played.starts;
        }
        assert.ok(starts > SEEDS * 5, 'the worlds are not empty');
        assert.equal(new Set(digests.values()).size, SEEDS, 'no two worlds are alike');
        for (const seed of [3, 8, 21]) assert.equal((await playSeed(seed, { real, home })).digest, digests.get(seed));
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  it('every mutant still fits the engine, and says what it breaks and which rules find it', () => {
    const names = listMutants();
    assert.ok(names.length >= 12);
    for (const name of names) {
      const { breaks, foundBy } = describeMutant(name);
      assert.ok(breaks.length > 10 && foundBy.length > 0, name);
      assert.ok(!foundBy.includes('crash'), `${name}: an engine that throws is not found wrong`);
      inFolder((folder) => assert.doesNotThrow(() => makeMutant(name, folder), `${name}.patch does not apply: make it anew`));
    }
  });

  it('a job that goes out before its commit is found', () => {
    inFolder((folder) => {
      makeMutant('launch-before-commit', folder);
      assert.throws(() => execFileSync(process.execPath, ['test/sim/main.ts', '--seeds', '40', '--stop-at', describeMutant('launch-before-commit').foundBy.join(', ')], { cwd: folder, encoding: 'utf8', timeout: 100_000 }), (error: { stdout?: string }) => /^found by seed \d+, (ghost|identity)/m.test(error.stdout ?? ''));
    });
  });
});
