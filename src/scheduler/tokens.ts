// Execution tokens: random, shown once, kept as their SHA-256.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A fresh token (32 characters) with the hash that rows and memory keep. */
export function makeToken(): { token: string; hash: Buffer } {
  const token = randomBytes(24).toString('base64url');
  return { token, hash: hashOf(token) };
}

/** True when the token is the one that was hashed. Constant time. */
export function tokenFits(token: string, hash: Buffer): boolean {
  const given = hashOf(token);
  return given.length === hash.length && timingSafeEqual(given, hash);
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
