// Tokens: of executions random, shown once, kept as their SHA-256; of triggers derived from a secret.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

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

/** A token that every server of the installation makes alike from its secret. */
export function deriveToken(secret: Buffer, id: string): string {
  return createHmac('sha256', secret).update(id).digest('base64url');
}

/** What rows and memory keep of a token. */
export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
