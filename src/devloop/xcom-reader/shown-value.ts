// What both decoders write down while they turn Python's values into JSON data: notes with the place each is about.

const MAX_NOTES = 20;

/** Deeper values are not decoded: what prints them could not. */
export const MAX_DEPTH = 500;

/** Collects notes; the first 20 are kept. */
export class Notes {
  readonly texts: string[] = [];

  add(path: string, text: string): void {
    if (this.texts.length < MAX_NOTES) this.texts.push(`${path}: ${text}`);
  }
}

/** The path of a part: `.name`, `["any text"]` or `[0]`. */
export function pathTo(path: string, part: string | number): string {
  if (typeof part === 'number') return `${path}[${part}]`;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(part) ? `${path}.${part}` : `${path}[${JSON.stringify(part)}]`;
}

/** ISO 8601 in UTC of seconds since the epoch, with microseconds when there are any. Null when no date can hold them. */
export function isoOfEpoch(seconds: number): string | null {
  const micros = Math.round(seconds * 1e6);
  const whole = Math.floor(micros / 1e6);
  const date = new Date(whole * 1000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999) return null;
  const fraction = micros - whole * 1e6;
  return `${date.toISOString().slice(0, 19)}${fraction === 0 ? '' : `.${String(fraction).padStart(6, '0')}`}+00:00`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Seconds east of UTC as `+05:30`. */
export function offsetText(seconds: number): string {
  const size = Math.abs(seconds);
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(size / 3600))}:${two(Math.floor(size / 60) % 60)}${size % 60 === 0 ? '' : `:${two(Math.round(size % 60))}`}`;
}

/** A value that is too deep, too large or damaged, with the reason; the whole is then shown as it lies. */
export class NotShown extends Error {}
