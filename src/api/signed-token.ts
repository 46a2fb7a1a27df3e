// Continuation tokens that a caller hands back unchanged: their content with its signature.
import { createHmac, timingSafeEqual } from 'node:crypto';

const CONTEXT = 'leoflow.continuation';

/** A value as an opaque token. */
export function sealToken(key: Buffer, value: unknown): string {
  const payload = Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${payload}.${signature(key, payload)}`;
}

/** The value of a token that this key sealed; null for anything else. */
export function openToken(key: Buffer, token: string): unknown {
  const [payload = '', given = ''] = token.split('.');
  const expected = Buffer.from(signature(key, payload));
  const actual = Buffer.from(given);
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) return null;
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
}

function signature(key: Buffer, payload: string): string {
  return createHmac('sha256', key).update(CONTEXT).update('\0').update(payload).digest('base64url');
}
