// Durations as people write them: 30s, 5m, 1h30m, 1d.

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of a duration of the form of DURATION_PATTERN; a number is seconds already. */
export function durationSeconds(duration: number | string): number {
  if (typeof duration === 'number') return duration;
  const total = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)].reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (SECONDS[unit] ?? 1), 0);
  return Math.round(total * 1000) / 1000;
}
