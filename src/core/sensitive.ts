// Which names hide their values, how values are masked for readers, and how a mask that comes back keeps what it hid.

/** What stands in place of a hidden value. */
export const MASK = '***';

/** Parts of names whose values are hidden: Airflow's `DEFAULT_SENSITIVE_FIELDS`. */
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

/** A JSON value with every secret in it masked, at any depth and in texts that hold JSON themselves. What holds none is answered as it is. */
export function maskValue(value: unknown, name = ''): unknown {
  if (isSensitive(name)) return hideAll(value);
  if (typeof value === 'string') return maskText(value);
  if (Array.isArray(value)) return kept(value, value.map((item) => maskValue(item, name)));
  if (!isFields(value)) return value;
  const masked = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskValue(item, key)]));
  return Object.entries(value).every(([key, item]) => masked[key] === item) ? value : masked;
}

const kept = (list: readonly unknown[], masked: readonly unknown[]): readonly unknown[] => (masked.every((item, index) => item === list[index]) ? list : masked);

/** Below a sensitive name nothing is shown but the shape. */
function hideAll(value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(hideAll);
  return isFields(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideAll(item)])) : MASK;
}

/** A text that holds JSON with the secrets in it masked; any other text as it is. */
export function maskText(text: string): string {
  const value = parseNested(text);
  if (value === undefined) return text;
  const masked = maskValue(value);
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
  return merge(given, stored, isSensitive(name));
}

function merge(given: unknown, stored: unknown, hidden: boolean): unknown {
  if (isFields(given) && isFields(stored)) {
    return Object.fromEntries(Object.entries(given).map(([key, item]) => [key, Object.hasOwn(stored, key) ? merge(item, stored[key], hidden || isSensitive(key)) : item]));
  }
  if (Array.isArray(given) && Array.isArray(stored)) return given.map((item, index) => (index < stored.length ? merge(item, stored[index], hidden) : item));
  if (hidden && given === MASK) return stored;
  if (typeof given !== 'string' || typeof stored !== 'string') return given;
  return unmaskText(given, stored);
}

/** A text as it is to be stored: where both hold JSON, masks in it keep what they hid. */
export function unmaskText(given: string, stored: string): string {
  const [now, before] = [parseNested(given), parseNested(stored)];
  if (now === undefined || before === undefined || maskValue(before) === before) return given;
  return pythonJson(merge(now, before, false));
}

/** JSON as Python's `json.dumps` writes it: spaces after separators, only ASCII. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (isFields(value)) return `{${Object.entries(value).map(([key, item]) => `${pythonJson(key)}: ${pythonJson(item)}`).join(', ')}}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
