// Secrets that this process was given, and texts without them: the same rules as python/leoflow/dagmodel/masking.py, for what bodies in Node log and report.
import { LIMITS } from '#contract/config.ts';
import { isSensitive, MASK, pythonJson } from '#core/sensitive.ts';

/** Shorter values are no secrets worth the damage: masking "a" would blot out the log. */
const MIN_LENGTH = 5;
/** Airflow's list of words that are never masked. */
const NEVER: readonly string[] = ['airflow'];

/** The secrets of one process. */
export class Masking {
  readonly #known = new Set<string>();
  #pattern: RegExp | null = null;
  /** Characters of the longest text that is hidden; 0 without any. */
  longest = 0;

  /** Hides every text in a value from now on, also as URLs, base64 and JSON write it. */
  add(secret: unknown): void {
    const fresh = textsOf(secret).filter((text) => isWorthHiding(text) && !this.#known.has(text));
    if (fresh.length === 0) return;
    for (const form of fresh.flatMap((text) => [text, ...formsOf(text)])) if (isWorthHiding(form)) this.#known.add(form);
    const longestFirst = [...this.#known].sort((a, b) => b.length - a.length);
    this.longest = longestFirst[0]?.length ?? 0;
    this.#pattern = new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  }

  /** Hides what stands under a sensitive name in a value, or in the JSON that a text holds, and whatever is nested deeper than LIMITS.maxJsonDepth. */
  addNamed(value: unknown, name = ''): void {
    this.add(namedIn(value, name, 0));
  }

  /** The text with every known secret under as many asterisks as it has bytes. */
  blot(text: string): string {
    return this.#pattern === null ? text : text.replace(this.#pattern, (found) => '*'.repeat(Buffer.byteLength(found)));
  }

  /** The text with every known secret replaced. */
  mask(text: string): string {
    return this.#pattern === null ? text : text.replace(this.#pattern, MASK);
  }
}

/** Every text and number in a value, however deep it is. */
function textsOf(value: unknown): string[] {
  const found: string[] = [];
  const rest = [value];
  while (rest.length > 0) {
    const item = rest.pop();
    if (typeof item === 'string' || typeof item === 'number') found.push(String(item));
    else if (typeof item === 'object' && item !== null) for (const inner of Object.values(item)) rest.push(inner);
  }
  return found;
}

function namedIn(value: unknown, name: string, depth: number): unknown[] {
  if (isSensitive(name) || depth > LIMITS.maxJsonDepth) return [value];
  if (Array.isArray(value)) return value.flatMap((item) => namedIn(item, name, depth + 1));
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, item]) => namedIn(item, key, depth + 1));
  return typeof value === 'string' && /^\s*[[{]/.test(value) ? namedIn(parsedOrNull(value), '', depth) : [];
}

function isWorthHiding(text: string): boolean {
  return text.length >= MIN_LENGTH && !NEVER.includes(text);
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Other ways in which a text is often written. */
function formsOf(secret: string): string[] {
  const data = Buffer.from(secret, 'utf8');
  const inLongerText = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), data]).toString('base64').replace(/=+$/, '');
    // Characters that also depend on what stands before or behind are left out.
    return text.slice(Math.floor((before * 8 + 5) / 6), Math.floor(((before + data.length) * 8) / 6));
  }).filter((form) => form.length > MIN_LENGTH);
  const inUrls = urlForms(secret.toWellFormed());
  return [
    ...inUrls, JSON.stringify(secret).slice(1, -1), pythonJson(secret).slice(1, -1), data.toString('base64'), data.toString('base64url'),
    ...inLongerText, ...inLongerText.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')), ...secret.split('\n').map((line) => line.trim()),
  ];
}

/** As JavaScript and as Python write it: as a part, with the slashes of a path, and in a form. */
function urlForms(secret: string): string[] {
  const part = encodeURIComponent(secret);
  const strict = part.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return [encodeURI(secret), part, strict, strict.replaceAll('%2F', '/'), strict.replaceAll('%20', '+')];
}
