// The leader's lock as a lease: PostgreSQL takes it from a session that says nothing, however alive its connection looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { monotonicMs } from '#platform/clock.ts';
import { withDatabase } from '../../test/support/database.ts';
import { awaitLeadership, probeEpoch, probeLeadership, raiseEpoch } from './leader.ts';

test('a leader that says nothing loses its lock to the next, and is told', { timeout: 20_000 }, async () => {
  await withDatabase(async (database) => {
    const stop = new AbortController();
    const silent = await awaitLeadership(database.url, 'a', stop.signal);
    await probeLeadership(silent.client);
    const lost = new Promise<void>((resolve) => silent.lost.addEventListener('abort', () => resolve(), { once: true }));
    const since = monotonicMs();
    const next = await awaitLeadership(database.url, 'b', stop.signal);
    const waited = monotonicMs() - since;
    assert.ok(waited < LIMITS.leaderLeaseMs + 1500, `it waited ${waited} ms`);
    assert.ok(next.epoch > silent.epoch);
    await lost;
    assert.deepEqual([await probeEpoch(database.pool, silent.epoch), await probeEpoch(database.pool, next.epoch)], [false, true]);
    await assert.rejects(probeLeadership(silent.client));
    await next.resign();
  });
});

test('a pool whose connections are all in use says nothing against the leader', { timeout: 20_000 }, async () => {
  await withDatabase(async (database) => {
    const epoch = await raiseEpoch(database.pool, 'a');
    const busy = await Promise.all(Array.from({ length: LIMITS.databaseConnections }, () => database.pool.connect()));
    try {
      assert.equal(await probeEpoch(database.pool, epoch), true);
    } finally {
      for (const client of busy) client.release();
    }
    assert.equal(await probeEpoch(database.pool, epoch - 1), false);
  });
});

test('an epoch that was used after a backup is not used again when the backup was restored', async () => {
  await withDatabase(async ({ pool }) => {
    const { rows } = await pool.query<{ used: number }>('select extract(epoch from clock_timestamp())::bigint - 1 as used');
    await pool.query('update leader set epoch = 7');
    assert.ok((await raiseEpoch(pool, 'a')) > (rows[0]?.used ?? Infinity));
    const quick = [await raiseEpoch(pool, 'a'), await raiseEpoch(pool, 'a'), await raiseEpoch(pool, 'a')];
    assert.deepEqual(quick, [...new Set(quick)].sort((a, b) => a - b));
  });
});
