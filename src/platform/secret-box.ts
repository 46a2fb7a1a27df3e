// Encryption of what is stored: AES-256-GCM under a ring of keys, each ciphertext bound to the place it is stored at.
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { AppError } from '#contract/errors.ts';

/** `id` is the beginning of the key's SHA-256 (16 hexadecimal characters): it may be shown and stored. */
export interface SecretKey {
  readonly id: string;
  readonly bytes: Buffer;
}

/** The first key encrypts what is new to a database, all of them decrypt. */
export interface KeyRing {
  readonly keys: readonly [SecretKey, ...SecretKey[]];
}

/** Where a ciphertext is stored: opened anywhere else, it is damaged. */
export interface SecretPlace {
  readonly kind: 'variable' | 'connection' | 'key';
  readonly name: string;
  readonly field: string;
}

/** What became of opening: the text, or why there is none. */
export type Opened = { readonly kind: 'opened'; readonly text: string } | { readonly kind: 'no_key'; readonly keyId: string } | { readonly kind: 'damaged' };

const FORMAT = 1;
const KEY_BYTES = 32;
const ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + ID_BYTES;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const TEXT_AT = TAG_AT + TAG_BYTES;

/** A key of 32 bytes with its id. */
export function keyOf(bytes: Buffer): SecretKey {
  return { id: createHash('sha256').update(bytes).digest().subarray(0, ID_BYTES).toString('hex'), bytes };
}

/**
 * Keys of a text: one per line or separated by commas, each 32 bytes in base64 or hexadecimal; a line that begins with # is a comment.
 * Throws `invalid_config`, which names the place and never the text.
 */
export function parseKeys(text: string, where: string): KeyRing {
  const parts = text.split('\n').filter((line) => !line.trim().startsWith('#')).flatMap((line) => line.split(',')).map((part) => part.trim()).filter((part) => part !== '');
  const keys = parts.map((part, index) => {
    const bytes = /^[0-9a-f]{64}$/i.test(part) ? Buffer.from(part, 'hex') : /^[A-Za-z0-9+/_-]{43}=?$/.test(part) ? Buffer.from(part, 'base64') : null;
    if (bytes?.length !== KEY_BYTES) throw new AppError('invalid_config', `key ${index + 1} of ${where} is not 32 bytes in base64 or hexadecimal`, { hint: 'Put the file back from its backup when values are encrypted already; another key opens none of them. For a new database make one: openssl rand -base64 32' });
    return keyOf(bytes);
  });
  const [first, ...rest] = keys;
  if (first === undefined) throw new AppError('invalid_config', `${where} holds no key`, { hint: 'Make one: openssl rand -base64 32' });
  return { keys: [first, ...rest] };
}

/** Encrypts. @param nonce 12 bytes that no other call ever used with this key: random ones */
export function seal(key: SecretKey, content: { readonly text: string; readonly place: SecretPlace }, nonce: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce);
  cipher.setAAD(boundTo(content.place));
  const sealed = Buffer.concat([cipher.update(content.text, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), Buffer.from(key.id, 'hex'), nonce, cipher.getAuthTag(), sealed]);
}

/** Decrypts what `seal` made for this place. */
export function open(ring: KeyRing, sealed: Buffer, place: SecretPlace): Opened {
  if (sealed.length < TEXT_AT || sealed[0] !== FORMAT) return { kind: 'damaged' };
  const keyId = keyIdOf(sealed);
  const key = ring.keys.find((one) => one.id === keyId);
  if (key === undefined) return { kind: 'no_key', keyId };
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, sealed.subarray(NONCE_AT, TAG_AT));
    decipher.setAAD(boundTo(place));
    decipher.setAuthTag(sealed.subarray(TAG_AT, TEXT_AT));
    return { kind: 'opened', text: Buffer.concat([decipher.update(sealed.subarray(TEXT_AT)), decipher.final()]).toString('utf8') };
  } catch {
    return { kind: 'damaged' };
  }
}

/** The text, or a failure that names what cannot be read, the key it would take, and never the text. */
export function openOrThrow(ring: KeyRing, sealed: Buffer, place: SecretPlace): string {
  const opened = open(ring, sealed, place);
  if (opened.kind === 'opened') return opened.text;
  const what = place.kind === 'variable' ? `the variable ${place.name}` : `the ${place.field} of the connection ${place.name}`;
  if (opened.kind === 'no_key') throw new AppError('secret_key_missing', `${what} is encrypted with the key ${opened.keyId}, which this server does not have`);
  throw new AppError('secret_unreadable', `${what} cannot be decrypted: its row was damaged, or copied from another`);
}

/** Id of the key that made a ciphertext. */
export function keyIdOf(sealed: Buffer): string {
  return sealed.subarray(1, NONCE_AT).toString('hex');
}

/** Unambiguous whatever the parts hold. */
function boundTo(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(['leoflow', place.kind, place.name, place.field]), 'utf8');
}
