// Secrets that this process was given, and texts without them: the same rules as python/leoflow/dagmodel/masking.py, for what bodies in Node log and report.

const MASK = '***';
/** Shorter values are no secrets worth the damage: masking "a" would blot out the log. */
const MIN_LENGTH = 5;
/** Airflow's DEFAULT_SENSITIVE_FIELDS: a name that holds one of these hides its value. */
const SENSITIVE = [
  'access_key', 'access_token', 'api_key', 'apikey', 'authorization', 'connection_string', 'passphrase', 'passwd', 'password', 'private_key',
  'proxy', 'proxies', 'secret', 'token', 'keyfile_dict', 'service_account',
];

/** The secrets of one process. */
export class Masking {
  readonly #known = new Set<string>();
  #pattern: RegExp | null = null;

  /** Hides every text in a value from now on, also as URLs, base64 and JSON write it. */
  add(secret: unknown): void {
    if (typeof secret === 'number') return this.add(String(secret));
    if (typeof secret === 'object' && secret !== null) return Object.values(secret).forEach((item) => this.add(item));
    if (typeof secret !== 'string' || secret.length < MIN_LENGTH || this.#known.has(secret)) return;
    for (const form of [secret, ...formsOf(secret)]) if (form.length >= MIN_LENGTH) this.#known.add(form);
    const longestFirst = [...this.#known].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  }

  /** Hides what stands under a sensitive name in a value, or in the JSON that a text holds. */
  addNamed(value: unknown, name = ''): void {
    const lower = name.toLowerCase();
    if (SENSITIVE.some((part) => lower.includes(part))) this.add(value);
    else if (Array.isArray(value)) for (const item of value) this.addNamed(item, name);
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) this.addNamed(item, key);
    else if (typeof value === 'string' && /^\s*[[{]/.test(value)) this.addNamed(parsedOrNull(value));
  }

  /** The text with every known secret replaced. */
  mask(text: string): string {
    return this.#pattern === null ? text : text.replace(this.#pattern, MASK);
  }

  /** A value of JSON with every text in it masked. */
  maskAll<T>(value: T): T {
    return this.#pattern === null ? value : (JSON.parse(JSON.stringify(value), (_, item: unknown) => (typeof item === 'string' ? this.mask(item) : item)) as T);
  }
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
  return [
    encodeURI(secret.toWellFormed()), encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1), data.toString('base64'), data.toString('base64url'),
    ...inLongerText, ...secret.split('\n').map((line) => line.trim()),
  ];
}
