// Zones and crons against Python: every change of every zone's clocks from 2000 to 2040, and random crons against a search that tries every minute.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fireBefore, nextFire, parseCron } from '#core/cron.ts';
import { isZone, localToUtc, utcOffsetMs } from '#core/zone.ts';
import { ask, installTzData, type TzData } from './timetables/python.ts';

type ZoneLine = [zone: string, first: number, changes: [at: number, offset: number][], walls: [wall: number, second: number, first: number][]];
type Fires = (number | null)[];
type CronLine = [expression: string, zone: string, at: number, next: Fires, previous: Fires];

const START = Date.UTC(2000, 0, 1);
const END = Date.UTC(2040, 0, 1);
const DAY_MS = 86_400_000;
/** Another seed plays other cases; a failing line is played alone with LEOFLOW_TEST_CASE='["0 3 * * *","Europe/Paris",1774746900000]'. */
const SEED = process.env['LEOFLOW_TEST_SEED'] ?? '2026';
const CASES = Number(process.env['LEOFLOW_TEST_CASES'] ?? 4000);
const ONE_CASE = process.env['LEOFLOW_TEST_CASE'];
/** zoneinfo's name for a machine nobody set up; ICU has no such zone. Nothing else may be missing. */
const UNKNOWN_TO_ICU = ['Factory'];

let tzData: TzData;
before(async () => void (tzData = await installTzData()));

function folderOrSkip(test: { skip(why: string): void }): string | null {
  if (tzData.kind === 'installed') return tzData.folder;
  test.skip(tzData.why);
  return null;
}

/** What ours says otherwise, one line each. */
function findZoneFaults([zone, first, changes, walls]: ZoneLine): string[] {
  const faults: string[] = [];
  const expect = (what: string, ours: number, theirs: number): void => void (ours === theirs || faults.push(`${zone} ${what}: ${ours}, zoneinfo ${theirs}`));
  let from = START;
  let offset = first * 1000;
  for (const [at, next] of [...changes, [END / 1000, Number.NaN] as const]) {
    for (let inside = from; inside < at * 1000; inside += DAY_MS) expect(`at ${new Date(inside).toISOString()}`, utcOffsetMs(zone, inside), offset);
    expect(`before ${new Date(at * 1000).toISOString()}`, utcOffsetMs(zone, at * 1000 - 1), offset);
    [from, offset] = [at * 1000, next * 1000];
  }
  for (const [wall, second, firstReading] of walls) {
    expect(`wall clock ${new Date(wall * 1000).toISOString()}`, localToUtc(zone, wall * 1000), second * 1000);
    expect(`first reading of ${new Date(wall * 1000).toISOString()}`, localToUtc(zone, wall * 1000, 'first'), firstReading * 1000);
  }
  return faults;
}

function chain(step: (at: number) => number | null, start: number): Fires {
  const first = step(start);
  return [first, first === null ? null : step(first)];
}

function findCronFault([expression, zone, at, next, previous]: CronLine): string[] {
  const parsed = parseCron(expression);
  if (parsed.kind === 'invalid') return [`${JSON.stringify([expression, zone, at])} is refused: ${parsed.message}`];
  const ours = [chain((from) => nextFire(parsed.cron, zone, from), at), chain((from) => fireBefore(parsed.cron, zone, from), at)];
  const isSame = JSON.stringify(ours) === JSON.stringify([next, previous]);
  return isSame ? [] : [`LEOFLOW_TEST_CASE='${JSON.stringify([expression, zone, at])}': ours ${JSON.stringify(ours)}, brute force ${JSON.stringify([next, previous])}`];
}

describe('against Python’s zoneinfo with the tz data of the same release', () => {
  it('every zone changes its offset at the same seconds and reads skipped and repeated times alike', async (test) => {
    const folder = folderOrSkip(test);
    if (folder === null) return;
    const lines = (await ask(folder, ['zone_changes.py'])) as ZoneLine[];
    const known = lines.filter(([zone]) => isZone(zone));
    assert.deepEqual(lines.map(([zone]) => zone).filter((zone) => !isZone(zone)), UNKNOWN_TO_ICU, 'what ICU does not know');
    assert.ok(known.length > 590, `only ${known.length} zones`);
    assert.deepEqual(Intl.supportedValuesOf('timeZone').filter((zone) => !lines.some(([name]) => name === zone)), [], 'what zoneinfo does not know');
    assert.deepEqual(known.flatMap(findZoneFaults).slice(0, 20), []);
    const count = (of: (line: ZoneLine) => unknown[]): number => known.reduce((sum, line) => sum + of(line).length, 0);
    test.diagnostic(`tz data ${process.versions['tz']}: ${known.length} zones, ${count((line) => line[2])} changes, ${count((line) => line[3])} wall-clock times; unknown to ICU: ${UNKNOWN_TO_ICU.join(', ')}`);
  });

  it('random crons fire when a search through every minute says', async (test) => {
    const folder = folderOrSkip(test);
    if (folder === null) return;
    const args = ONE_CASE === undefined ? [SEED, String(CASES)] : [];
    const lines = (await ask(folder, ['brute_force.py', ...args], ONE_CASE === undefined ? {} : { input: `${ONE_CASE}\n` })) as CronLine[];
    test.diagnostic(`seed ${SEED}: ${lines.length} crons in ${new Set(lines.map(([, zone]) => zone)).size} zones, ${lines.filter(([, , , next]) => next[0] === null).length} without a date`);
    assert.ok(lines.length === (ONE_CASE === undefined ? CASES : 1));
    assert.deepEqual(lines.flatMap(findCronFault).slice(0, 20), []);
  });
});
