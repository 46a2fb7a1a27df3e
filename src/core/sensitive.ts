// Which names hide their values, how values are masked for readers, and how a mask that comes back keeps what it hid.
import { LIMITS } from '#contract/config.ts';

/** What stands in place of a hidden value. */
export const MASK = '***';

/** Parts of names whose values are hidden: Airflow's `DEFAULT_SENSITIVE_FIELDS`. python/leoflow/dagmodel/masking.py holds the same list. */
const SENSITIVE = [
  'access_key', 'access_token', 'api_key', 'apikey', 'authorization', 'connection_string', 'passphrase', 'passwd', 'password', 'private_key', 'proxy', 'proxy_password', 'proxies', 'secret', 'token',
  'keyfile_dict', 'service_account',
] as const;

/** True when the name of a variable, or of a field of a connection's extra, says that its value is a secret. */
export function isSensitive(name: string): boolean {
  const lower = name.trim().toLowerCase();
  return SENSITIVE.some((part) => lower.includes(part));
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A JSON value with every secret in it masked, also in texts that hold JSON themselves. What holds none is answered as it is.
 * Objects and lists below LIMITS.maxJsonDepth are masked whole.
 */
export function maskValue(value: unknown, name = '', depth = 0): unknown {
  if (isSensitive(name)) return hideAll(value, depth);
  if (typeof value === 'string') return maskNested(value, depth);
  if (!isNest(value)) return value;
  if (depth >= LIMITS.maxJsonDepth) return MASK;
  if (Array.isArray(value)) return kept(value, value.map((item) => maskValue(item, name, depth + 1)));
  const masked = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskValue(item, key, depth + 1)]));
  return Object.entries(value).every(([key, item]) => masked[key] === item) ? value : masked;
}

const isNest = (value: unknown): value is Fields | readonly unknown[] => isFields(value) || Array.isArray(value);

const kept = (list: readonly unknown[], masked: readonly unknown[]): readonly unknown[] => (masked.every((item, index) => item === list[index]) ? list : masked);

/** Below a sensitive name nothing is shown but the shape. */
export function hideAll(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (!isNest(value) || depth >= LIMITS.maxJsonDepth) return MASK;
  if (Array.isArray(value)) return value.map((item) => hideAll(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideAll(item, depth + 1)]));
}

/** A text that holds JSON with the secrets in it masked; any other text as it is. */
export function maskText(text: string): string {
  return maskNested(text, 0);
}

function maskNested(text: string, depth: number): string {
  const value = parseNested(text);
  if (value === undefined) return text;
  const masked = maskValue(value, '', depth);
  return masked === value ? text : pythonJson(masked);
}

/** The object or list in a text; undefined when it holds none. */
function parseNested(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The value of a variable as people are shown it. */
export function maskVariable(key: string, value: string): string {
  return isSensitive(key) ? MASK : maskText(value);
}

/** What a reader sent back, with each mask that stands where it was shown one replaced by what it hid. */
export function unmask(given: unknown, stored: unknown, name = ''): unknown {
  return merge(given, stored, { hidden: isSensitive(name), depth: 0 });
}

interface Place { readonly hidden: boolean; readonly depth: number }

function merge(given: unknown, stored: unknown, { hidden, depth }: Place): unknown {
  if (depth >= LIMITS.maxJsonDepth && isNest(stored)) return given === MASK ? stored : given;
  if (isFields(given) && isFields(stored)) {
    return Object.fromEntries(Object.entries(given).map(([key, item]) => [key, Object.hasOwn(stored, key) ? merge(item, stored[key], { hidden: hidden || isSensitive(key), depth: depth + 1 }) : item]));
  }
  if (Array.isArray(given) && Array.isArray(stored)) return given.map((item, index) => (index < stored.length ? merge(item, stored[index], { hidden, depth: depth + 1 }) : item));
  if (hidden && given === MASK) return stored;
  if (typeof given !== 'string' || typeof stored !== 'string') return given;
  return unmaskNested(given, stored, depth);
}

/** A text as it is to be stored: where both hold JSON, masks in it keep what they hid. */
export function unmaskText(given: string, stored: string): string {
  return unmaskNested(given, stored, 0);
}

function unmaskNested(given: string, stored: string, depth: number): string {
  const [now, before] = [parseNested(given), parseNested(stored)];
  if (now === undefined || before === undefined || maskValue(before, '', depth) === before) return given;
  return pythonJson(merge(now, before, { hidden: false, depth }));
}

/** True when a text may hold a mask: what it hides must be known to store it. */
export function mayHoldMask(text: string): boolean {
  return text.includes(MASK);
}

/** JSON as Python's `json.dumps` writes it: spaces after separators, only ASCII. However deep it is: what is stored is not cut. */
export function pythonJson(value: unknown): string {
  const parts: string[] = [];
  // Texts to write and values to take apart, the next one last.
  const rest: (string | { readonly value: unknown })[] = [{ value }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (typeof next === 'string') parts.push(next);
    else if (isNest(next.value)) for (const piece of piecesOf(next.value).reverse()) rest.push(piece);
    else parts.push(scalarText(next.value));
  }
  return parts.join('');
}

function piecesOf(value: Fields | readonly unknown[]): (string | { readonly value: unknown })[] {
  if (Array.isArray(value)) return ['[', ...value.flatMap((item: unknown, index) => [index === 0 ? '' : ', ', { value: item }]), ']'];
  return ['{', ...Object.entries(value).flatMap(([key, item], index) => [index === 0 ? '' : ', ', `${scalarText(key)}: `, { value: item }]), '}'];
}

const scalarText = (value: unknown): string => JSON.stringify(value).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
