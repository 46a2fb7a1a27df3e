// Instants at the edge: what is read, what is refused, how they are written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseInstant, renderDuration, renderInstant } from './instants.ts';

test('ISO 8601 is read as precisely as it is given', () => {
  const cases = [
    ['2026-01-02', '2026-01-02T00:00:00Z', false], ['2026-01-02T03:04', '2026-01-02T03:04:00Z', false], ['2026-01-02 03:04:05.123456789', '2026-01-02T03:04:05.123456Z', false],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z', true], ['2026-01-02T03:04:05+0130', '2026-01-02T03:04:05+01:30', true], ['2026-01-02T03:04:05-05', '2026-01-02T03:04:05-05:00', true],
    ['2026-01-02T03:04:05 01:00', '2026-01-02T03:04:05+01:00', true],
  ] as const;
  for (const [given, text, hasOffset] of cases) assert.deepEqual(parseInstant(given), { kind: 'ok', text, hasOffset });
});

test('what is no instant is refused', () => {
  for (const wrong of ['', 'tomorrow', '2026-13-01', '2026-02-30', '2026-01-01T25:00', '2026-01-01T00:00:61Z', '0000-01-01', '10000-01-01', '2026-01-01T00:00:00Zx', "2026-01-01'; drop table x"]) {
    assert.equal(parseInstant(wrong).kind, 'invalid', wrong);
  }
});

test('instants are written with Z, a fraction only when there is one', () => {
  assert.equal(renderInstant(new Date('2026-01-02T03:04:05Z')), '2026-01-02T03:04:05Z');
  assert.equal(renderInstant(new Date('2026-01-02T03:04:05.120Z')), '2026-01-02T03:04:05.120000Z');
});

test('durations are written as pydantic does', () => {
  for (const [seconds, text] of [[0, 'PT0S'], [90, 'PT1M30S'], [3600, 'PT1H'], [90_061.5, 'P1DT1H1M1.5S'], [86_400, 'P1D']] as const) assert.equal(renderDuration(seconds), text);
});

test('durations are read as pydantic reads them', () => {
  const cases = [['PT0S', 0], ['PT1M30S', 90], ['P1DT1H1M1.5S', 90_061.5], ['P2W', 1_209_600], ['-PT5S', -5], ['+P1Y2M3D', 428 * 86_400], ['PT0.000001S', 0.000001]] as const;
  for (const [text, seconds] of cases) assert.equal(parseDuration(text), seconds, text);
  for (const wrong of ['', 'P', 'PT', 'P1DT', '5', 'PT5', '1H', 'PT-5S', 'P1S']) assert.equal(parseDuration(wrong), null, wrong);
});
