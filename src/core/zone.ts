// Offsets of time zones: from an instant to the wall clock and back, with the platform's tz data read once per stretch of time.

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
/** One cached stretch of a zone: a little more than a year, so that one or two serve everything near now. */
const STRETCH_MS = 400 * DAY_MS;
/** No zone has changed its offset and changed it back within this time since 1970. */
const PROBE_MS = 5 * DAY_MS;
/** Zones kept. There are about 600 names; more are only spellings, and a caller may not fill the memory with those. */
const MAX_ZONES = 2000;

/** `offsets[i]` (ms) holds from `starts[i]` (epoch ms) until the next start. */
interface Stretch {
  readonly starts: readonly number[];
  readonly offsets: readonly number[];
}

interface Zone {
  readonly fixedMs: number | null;
  readonly probe: (epochMs: number) => number;
  readonly stretches: Map<number, Stretch>;
}

const zones = new Map<string, Zone>();

/**
 * Milliseconds that the zone's wall clock is ahead of UTC at an instant (negative in the west).
 * `zone` is an IANA name, `UTC`, or a fixed offset such as `+05:30`. Throws RangeError when there is no such zone: see `isZone`.
 */
export function utcOffsetMs(zone: string, epochMs: number): number {
  const found = getZone(zone);
  if (found.fixedMs !== null) return found.fixedMs;
  const index = Math.floor(epochMs / STRETCH_MS);
  let stretch = found.stretches.get(index);
  if (stretch === undefined) {
    stretch = readStretch(found.probe, index * STRETCH_MS);
    found.stretches.set(index, stretch);
  }
  let at = stretch.starts.length - 1;
  while (at > 0 && (stretch.starts[at] ?? 0) > epochMs) at -= 1;
  return stretch.offsets[at] ?? 0;
}

/** Which of two instants a wall-clock time names when clocks went back over it. */
export type Overlap = 'first' | 'second';

/**
 * The instant (epoch ms) at which the zone's wall clock shows `localMs`, a wall-clock time written as if it were UTC.
 * A time that clocks jumped over is moved on by the length of the jump (02:30 becomes 03:30); of a time that came twice, Airflow takes
 * the second (source: `airflow._shared.timezones.make_aware`). Throws RangeError when there is no such zone.
 */
export function localToUtc(zone: string, localMs: number, overlap: Overlap = 'second'): number {
  const before = utcOffsetMs(zone, localMs - DAY_MS);
  const after = utcOffsetMs(zone, localMs + DAY_MS);
  if (before === after) return localMs - before;
  const early = localMs - Math.max(before, after);
  const late = localMs - Math.min(before, after);
  const earlyHolds = early + utcOffsetMs(zone, early) === localMs;
  const lateHolds = late + utcOffsetMs(zone, late) === localMs;
  if (earlyHolds && lateHolds) return overlap === 'first' ? early : late;
  if (earlyHolds) return early;
  return lateHolds ? late : localMs - before;
}

/** True when `zone` can be given to the other functions here. */
export function isZone(zone: string): boolean {
  try {
    getZone(zone);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function getZone(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const fixedMs = parseFixedOffset(name);
  const zone: Zone = { fixedMs, probe: fixedMs === null ? createProbe(name) : () => fixedMs, stretches: new Map() };
  if (zones.size >= MAX_ZONES) zones.clear();
  zones.set(name, zone);
  return zone;
}

function parseFixedOffset(name: string): number | null {
  if (name.toUpperCase() === 'UTC') return 0;
  const match = /^([+-])(\d\d):([0-5]\d)(?::([0-5]\d))?$/.exec(name);
  if (match === null || Number(match[2]) > 23) return null;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -seconds : seconds) * SECOND_MS;
}

function createProbe(name: string): (epochMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset', year: 'numeric' });
  return (epochMs) => {
    const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(epochMs));
    if (match === null) throw new Error(`the platform gave no offset for zone ${name}`);
    const seconds = Number(match[2] ?? 0) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
    return (match[1] === '-' ? -seconds : seconds) * SECOND_MS;
  };
}

function readStretch(probe: (epochMs: number) => number, startMs: number): Stretch {
  const starts = [startMs];
  const offsets = [probe(startMs)];
  let offset = offsets[0] ?? 0;
  for (let from = startMs; from < startMs + STRETCH_MS; from += PROBE_MS) {
    const last = probe(from + PROBE_MS);
    let low = from;
    while (offset !== last) {
      low = findChange(probe, low, from + PROBE_MS);
      offset = probe(low);
      starts.push(low);
      offsets.push(offset);
    }
  }
  return { starts, offsets };
}

/** The first whole second after `lowMs` at which the offset is no longer the one at `lowMs`, given that it differs at `highMs`. */
function findChange(probe: (epochMs: number) => number, lowMs: number, highMs: number): number {
  const before = probe(lowMs);
  let low = lowMs / SECOND_MS;
  let high = highMs / SECOND_MS;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (probe(middle * SECOND_MS) === before) low = middle;
    else high = middle;
  }
  return high * SECOND_MS;
}
