// Retry delays against those recorded from Airflow's TaskInstance.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isRetryEligible, retryDelaySeconds } from './retry.ts';

type DelayRow = [
  delaySeconds: number, multiplier: number, maxDelaySeconds: number | null, tryNumber: number,
  dagId: string, taskId: string, logicalDate: string | null, expected: number,
];
interface Recorded {
  eligible: [tryNumber: number, maxTries: number, retries: number, eligible: boolean][];
  rows: DelayRow[];
}
const recorded = JSON.parse(readFileSync(new URL('../../test/oracle/retries.json', import.meta.url), 'utf8')) as Recorded;

describe('retries against Airflow', () => {
  it('delays', () => {
    assert(recorded.rows.length > 150);
    for (const [delaySeconds, multiplier, maxDelaySeconds, tryNumber, dagId, taskId, logicalDate, expected] of recorded.rows) {
      const query = { delaySeconds, multiplier, maxDelaySeconds, tryNumber, dagId, taskId, logicalDate };
      assert.equal(retryDelaySeconds(query), expected, JSON.stringify(query));
    }
  });

  it('eligibility', () => {
    assert(recorded.eligible.length >= 36);
    for (const [tryNumber, maxTries, retries, eligible] of recorded.eligible) {
      assert.equal(isRetryEligible(tryNumber, maxTries, retries), eligible, `${tryNumber} ${maxTries} ${retries}`);
    }
  });
});

describe('retryDelaySeconds', () => {
  it('gives one delay for all spellings of a logical date', () => {
    const delay = (logicalDate: string): number =>
      retryDelaySeconds({ delaySeconds: 300, multiplier: 2, maxDelaySeconds: null, tryNumber: 4, dagId: 'd', taskId: 't', logicalDate });
    const spellings = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000000+00:00', '2026-01-01T01:00:00+01:00'];
    assert.equal(new Set(spellings.map(delay)).size, 1);
    assert.notEqual(delay('2026-01-01T00:00:00.001Z'), delay('2026-01-01T00:00:00Z'));
    assert.equal(delay('2026-01-01T00:00:00.120Z'), delay('2026-01-01T00:00:00.120000+00:00'));
  });
});
