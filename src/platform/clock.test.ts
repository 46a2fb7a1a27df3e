// The database's clock as this process knows it: what a reading teaches, and what a late one does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseClock, monotonicMs } from './clock.ts';

/** How far a clock is from `offset` beyond the monotonic one; reading it takes no millisecond. */
const error = (clock: DatabaseClock, offset: number): number => Math.round(Math.abs(clock.nowMs() - monotonicMs() - offset) / 10) * 10;

test('a quick reading is taken in its middle', () => {
  const clock = new DatabaseClock();
  clock.adjust(5_000_010, 1000, 1020);
  assert.equal(error(clock, 4_999_000), 0);
});

test('a reading that was under way for 8 s moves nothing that it agrees with', () => {
  const clock = new DatabaseClock();
  clock.adjust(5_000_010, 1000, 1020);
  clock.adjust(5_001_000, 2000, 10_000);
  assert.equal(error(clock, 4_999_000), 0);
});

test('a slow reading moves a clock that it contradicts, as far as it must', () => {
  const clock = new DatabaseClock();
  clock.adjust(5_000_010, 1000, 1020);
  clock.adjust(6_002_000, 2000, 3000);
  assert.equal(error(clock, 5_999_000), 0);
  clock.adjust(4_000_000, 2000, 3000);
  assert.equal(error(clock, 3_998_000), 0);
});
