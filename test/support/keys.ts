// Keys of secrets for tests: fresh ones, in memory.
import { randomBytes } from 'node:crypto';
import { fixedKeys, type KeySource } from '#platform/key-file.ts';
import { keyOf } from '#platform/secret-box.ts';

/** One fresh key. */
export function testKeys(): KeySource {
  return fixedKeys({ keys: [keyOf(randomBytes(32))] });
}
