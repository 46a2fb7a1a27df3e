// Cron schedules against the moves and verdicts recorded from Airflow's own timetables.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Cron, fireAtOrAfter, fireBefore, nextFire, parseCron, previousFire } from './cron.ts';

type Fires = (number | null)[];
type Move = [expression: string, zone: string, start: number, next: Fires, previous: Fires, aligned: number | null, alignedBack: number | null];
interface Recorded {
  checks: [expression: string, accepted: boolean][];
  rows: Move[];
}
const recorded = JSON.parse(readFileSync(new URL('../../test/oracle/crons.json', import.meta.url), 'utf8')) as Recorded;

function parse(expression: string): Cron {
  const parsed = parseCron(expression);
  assert.equal(parsed.kind, 'ok', expression);
  assert(parsed.kind === 'ok');
  return parsed.cron;
}

function chain(step: (at: number) => number | null, start: number, length: number): Fires {
  const fires: Fires = [];
  let at: number | null = start;
  while (at !== null && fires.length < length) {
    at = step(at);
    fires.push(at);
  }
  return fires;
}

describe('cron against Airflow', () => {
  it('accepts and refuses the same expressions', () => {
    assert(recorded.checks.length > 150);
    const differing = recorded.checks.filter(([expression, accepted]) => (parseCron(expression).kind === 'ok') !== accepted);
    assert.deepEqual(differing, []);
  });

  it('moves as recorded, also where clocks change', () => {
    assert(recorded.rows.length > 400);
    for (const [expression, zone, start, next, previous, aligned, alignedBack] of recorded.rows) {
      const cron = parse(expression);
      const ours = {
        next: chain((at) => nextFire(cron, zone, at), start, 3),
        previous: chain((at) => fireBefore(cron, zone, at), start, 3),
        aligned: fireAtOrAfter(cron, zone, start),
        alignedBack: previousFire(cron, zone, start),
      };
      // NOTE: Airflow fails to align when there is no fire on the far side of the answer (a year field); the answer itself is plain.
      const theirs = { next, previous, aligned: aligned ?? next[0], alignedBack: alignedBack ?? previous[0] };
      assert.deepEqual(ours, theirs, `${expression} in ${zone} at ${new Date(start).toISOString()}`);
    }
  });
});

describe('cron', () => {
  it('names the field at fault', () => {
    const messages = ['60 * * * *', '* * 0-5 * *', '* * * foo *', '* * * * 1#6', '* * 1,15w * *', '*/0 * * * *', '* * * * 1,2#1', '? * * * *'].map((text) => {
      const parsed = parseCron(text);
      return parsed.kind === 'invalid' ? parsed.message : 'ok';
    });
    assert.deepEqual(messages, [
      'minute "60": 60 is outside 0-59',
      'day of month "0-5": 0 is outside 1-31',
      'month "foo": "foo" is neither a number nor a name of this field',
      'day of week "1#6": #6 is not one of #1 to #5',
      'day of month "1,15w": w stands with a single day, not in a list',
      'minute "*/0": a step of 0 never advances',
      'day of week "1,2#1": # and l do not mix with plain weekdays',
      'minute "?": ? is for the day of month and the day of week only',
    ]);
    assert.deepEqual(parseCron('* * *'), { kind: 'invalid', message: 'a cron expression has 5 to 7 fields, not 3' });
  });

  it('shows the expression of a preset, as Airflow does', () => {
    assert.equal(parse('@daily').text, '0 0 * * *');
    assert.equal(parse('@midnight').text, '@midnight');
  });

  it('refuses values that are drawn anew at each reading', () => {
    assert.equal(parseCron('r * * * *').kind, 'invalid');
  });

  it('gives up on a date that never comes, in bounded time', () => {
    const cron = parse('0 0 30 2 *');
    const started = performance.now();
    for (let count = 0; count < 100; count += 1) {
      assert.equal(nextFire(cron, 'Europe/Paris', 1.8e12), null);
      assert.equal(previousFire(cron, 'Europe/Paris', 1.8e12), null);
    }
    assert(performance.now() - started < 1000);
  });

  it('finds the day that a minute-by-minute walk finds', () => {
    for (const [expression, matches] of [
      ['30 4 1-7 * 1', (date: Date) => date.getUTCDate() <= 7 || date.getUTCDay() === 1],
      ['30 4 29 2 *', (date: Date) => date.getUTCDate() === 29 && date.getUTCMonth() === 1],
      ['30 4 * 2,12 sat', (date: Date) => [1, 11].includes(date.getUTCMonth()) && date.getUTCDay() === 6],
    ] as const) {
      const cron = parse(expression);
      let expected = Date.UTC(1995, 0, 1, 4, 30);
      let fire: number | null = expected - 1;
      for (let count = 0; count < 8; count += 1) {
        while (!matches(new Date(expected))) expected += 86_400_000;
        fire = nextFire(cron, 'UTC', fire ?? 0);
        assert.equal(fire, expected, expression);
        expected += 86_400_000;
      }
    }
  });

  it('always advances', () => {
    for (const [expression, zone] of [['*/15 1-3 * * *', 'Europe/Paris'], ['0 * * * *', 'Australia/Lord_Howe'], ['*/20 * * * *', 'America/St_Johns']] as const) {
      const cron = parse(expression);
      let at = Date.UTC(2026, 2, 1);
      while (at < Date.UTC(2026, 10, 10)) {
        const next = nextFire(cron, zone, at);
        assert(next !== null && next > at, `${expression} ${zone} ${at}`);
        at = next;
      }
    }
  });
});
