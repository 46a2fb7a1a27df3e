// Argon2id hashes of passwords as PHC strings, at most four being made at once.
import { argon2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);

/** OWASP's second choice: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const MAX_AT_ONCE = 4;
const MAX_MEMORY_KIB = 262_144;

let running = 0;
const waiting: (() => void)[] = [];

/** Each hash holds 19 MiB: a burst of logins must queue, not swap. */
async function inTurn<R>(work: () => Promise<R>): Promise<R> {
  if (running >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** `$argon2id$v=19$m=…,t=…,p=…$salt$hash` of a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await inTurn(() => derive('argon2id', { message: password, nonce: salt, tagLength: 32, ...COST }));
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** What `password` hashes to with the salt and cost of a stored hash, beside that hash; null when the stored text is none. */
export async function passwordDigest(password: string, phc: string): Promise<{ given: Buffer; stored: Buffer } | null> {
  const match = PHC.exec(phc);
  if (match === null) return null;
  const [, memory, passes, parallelism, salt = '', hash = ''] = match;
  const stored = Buffer.from(hash, 'base64');
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  if (cost.memory > MAX_MEMORY_KIB || cost.passes < 1 || cost.parallelism < 1) return null;
  const given = await inTurn(() => derive('argon2id', { message: password, nonce: Buffer.from(salt, 'base64'), tagLength: stored.length, ...cost }));
  return { given, stored };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
