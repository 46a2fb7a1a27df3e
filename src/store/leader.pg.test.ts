// The leader's lock as a lease: PostgreSQL takes it from a session that says nothing, however alive its connection looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { monotonicMs } from '#platform/clock.ts';
import { withDatabase } from '../../test/support/database.ts';
import { awaitLeadership, probeEpoch, probeLeadership } from './leader.ts';

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
    assert.equal(next.epoch, silent.epoch + 1);
    await lost;
    assert.deepEqual([await probeEpoch(database.pool, silent.epoch), await probeEpoch(database.pool, next.epoch)], [false, true]);
    await assert.rejects(probeLeadership(silent.client));
    await next.resign();
  });
});
