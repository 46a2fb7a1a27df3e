// Offsets against the changes that Python's zoneinfo lists for awkward zones, 2000 to 2040.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isZone, localToUtc, utcOffsetMs } from './zone.ts';

interface RecordedZone {
  zone: string;
  until: number;
  first: number;
  changes: [at: number, offset: number][];
  placed: [wall: number, airflow: number, firstOfTwo?: number][];
}
const recorded = JSON.parse(readFileSync(new URL('../../test/oracle/zones.json', import.meta.url), 'utf8')) as { start: number; rows: RecordedZone[] };

describe('zone against zoneinfo', () => {
  it('changes its offset at the recorded seconds and at no others', () => {
    assert(recorded.rows.length >= 40);
    for (const { zone, until, first, changes } of recorded.rows) {
      let from = recorded.start;
      let offset = first;
      for (const [at, next] of [...changes, [until, Number.NaN] as const]) {
        for (const part of [0, 0.2, 0.4, 0.6, 0.8]) {
          assert.equal(utcOffsetMs(zone, (from + (at - from) * part) * 1000), offset * 1000, `${zone} between ${from} and ${at}`);
        }
        assert.equal(utcOffsetMs(zone, at * 1000 - 1), offset * 1000, `${zone} before ${at}`);
        [from, offset] = [at, next];
      }
    }
  });

  it('places skipped and repeated wall-clock times as Airflow does', () => {
    let repeated = 0;
    for (const { zone, placed } of recorded.rows) {
      for (const [wall, airflow, firstOfTwo] of placed) {
        assert.equal(localToUtc(zone, wall * 1000), airflow * 1000, `${zone} ${wall}`);
        if (firstOfTwo === undefined) continue;
        assert.equal(localToUtc(zone, wall * 1000, 'first'), firstOfTwo * 1000, `${zone} ${wall} first`);
        repeated += 1;
      }
    }
    assert(repeated > 100);
  });

  it('finds its way back from every wall clock', () => {
    for (const { zone } of recorded.rows) {
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 86_400_000 * 3.7) {
        assert.equal(localToUtc(zone, at + utcOffsetMs(zone, at)), at, zone);
      }
    }
  });
});

describe('zone', () => {
  it('knows fixed offsets', () => {
    assert.equal(utcOffsetMs('UTC', 0), 0);
    assert.equal(utcOffsetMs('+05:30', 0), 19_800_000);
    assert.equal(utcOffsetMs('-00:44:30', 0), -2_670_000);
    assert.equal(localToUtc('-03:00', 0), 10_800_000);
  });

  it('knows offsets of the past down to the second', () => {
    assert.equal(utcOffsetMs('Africa/Monrovia', Date.UTC(1971, 0, 1)), -2_670_000);
  });

  it('refuses what is no zone', () => {
    assert.deepEqual(['Europe/Paris', 'UTC', '+01:00', 'Europe/Pariss', '', '+25:00', 'Mars/Olympus'].map(isZone), [true, true, true, false, false, false, false]);
    assert.throws(() => utcOffsetMs('Nowhere', 0), RangeError);
  });

  it('stays right when more zones are asked for than are kept', () => {
    for (let minute = 0; minute < 2100; minute += 1) {
      const text = `+${String(Math.floor(minute / 60) % 24).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}:${String(Math.floor(minute / 1440)).padStart(2, '0')}`;
      assert.equal(utcOffsetMs(text, 0) >= 0, true);
    }
    assert.equal(utcOffsetMs('Europe/Paris', Date.UTC(2026, 6, 1)), 7_200_000);
  });
});
