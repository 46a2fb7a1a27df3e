// Whether a password is right, in the same time for names that exist and names that do not.
import { timingSafeEqual } from 'node:crypto';
import { hashPassword, passwordDigest } from '#store/password-hashes.ts';

let decoy: Promise<string> | null = null;

/**
 * Checks a password against a stored hash. With null (no such account) it works as long and answers no.
 * A hash that cannot be read answers no.
 */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  decoy ??= hashPassword('no account has this');
  const compared = stored ?? (await decoy);
  const digest = await passwordDigest(password, compared);
  if (digest === null) return false;
  const isEqual = digest.given.length === digest.stored.length && timingSafeEqual(digest.given, digest.stored);
  return stored !== null && isEqual;
}
