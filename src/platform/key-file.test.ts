// Keys of secrets: which texts are keys, the file that is made once, read again when it changed and refused when it is open to others, and what AES-GCM is given.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { addKey, keepKeys, openKeys, putKeyFirst } from './key-file.ts';
import { keyIdOf, keyOf, open, parseKeys, seal, type SecretPlace } from './secret-box.ts';

const PLACE: SecretPlace = { kind: 'variable', name: 'v', field: 'value' };

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-keys-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('keys are 32 bytes in base64 or hexadecimal; anything else is refused without being shown', () => {
  const [one, two] = [randomBytes(32), randomBytes(32)];
  const ring = parseKeys(`# comment, with a comma\n${one.toString('base64')},${two.toString('hex')}\n\n${one.toString('base64url')}\n`, 'X');
  assert.deepEqual(ring.keys.map((key) => key.bytes), [one, two, one]);
  for (const text of ['', '# only a comment', 'canary', randomBytes(31).toString('base64'), `${one.toString('hex')}0`]) {
    assert.throws(() => parseKeys(text, 'X'), (error) => error instanceof AppError && error.code === 'invalid_config' && error.message.includes('X') && (text === '' || !error.message.includes(text)));
  }
});

it('what is sealed opens with its key at its place only, and never looks the same twice', () => {
  const [key, other] = [keyOf(randomBytes(32)), keyOf(randomBytes(32))];
  for (const text of ['', 'x', 'é'.repeat(10_000)]) {
    const sealed = seal(key, { text, place: PLACE }, randomBytes(12));
    assert.deepEqual(open({ keys: [other, key] }, sealed, PLACE), { kind: 'opened', text });
    assert.deepEqual(open({ keys: [other] }, sealed, PLACE), { kind: 'no_key', keyId: key.id });
    for (const place of [{ ...PLACE, name: 'w' }, { ...PLACE, field: 'extra' }, { ...PLACE, kind: 'connection' as const }]) assert.deepEqual(open({ keys: [key] }, sealed, place), { kind: 'damaged' });
    for (const at of [0, 9, 21, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.notEqual(open({ keys: [key] }, changed, PLACE).kind, 'opened');
    }
    assert.deepEqual(open({ keys: [key] }, sealed.subarray(0, 30), PLACE), { kind: 'damaged' });
    assert.equal(keyIdOf(sealed), key.id);
    assert.notDeepEqual(sealed, seal(key, { text, place: PLACE }, randomBytes(12)));
  }
});

it('the file is made once for its owner alone, and what changes is seen', () => withFolder((home) => {
  const keys = openKeys({ LEOFLOW_SECRET_KEYS: null }, home, null);
  const first = keys.read().keys[0];
  const file = join(home, 'keys', 'secrets.keys');
  assert.deepEqual([keys.file, statSync(file).mode & 0o777, readdirSync(join(home, 'keys'))], [file, 0o600, ['secrets.keys']]);
  assert.equal(openKeys({ LEOFLOW_SECRET_KEYS: null }, home, null).read().keys[0].id, first.id);
  const second = addKey(file);
  assert.deepEqual(keys.read().keys.map((key) => key.id), [first.id, second.id]);
  putKeyFirst(file, second.id);
  assert.deepEqual(keys.read().keys.map((key) => key.id), [second.id, first.id]);
  keepKeys(file, (key) => key.id === second.id);
  assert.deepEqual(keys.read().keys.map((key) => key.id), [second.id]);
  assert.match(readFileSync(file, 'utf8'), /^# Keys of Leoflow/);
  assert.throws(() => keepKeys(file, () => false));
  // Gone under a running server: it goes on with what it has.
  rmSync(file);
  assert.equal(keys.read().keys[0].id, second.id);
}));

it('a file that others may read is refused with the command that helps; one that was given is taken as it is', () => withFolder((home) => {
  openKeys({ LEOFLOW_SECRET_KEYS: null }, home, null).read();
  const file = join(home, 'keys', 'secrets.keys');
  chmodSync(file, 0o640);
  assert.throws(() => openKeys({ LEOFLOW_SECRET_KEYS: null }, home, null).read(), (error) => error instanceof AppError && error.hint === `Run: chmod 600 ${file}`);
  assert.equal(openKeys({ LEOFLOW_SECRET_KEYS: null }, home, file).read().keys.length, 1);
  assert.throws(() => openKeys({ LEOFLOW_SECRET_KEYS: null }, home, join(home, 'absent')).read(), /cannot be read/);
  const given = openKeys({ LEOFLOW_SECRET_KEYS: randomBytes(32).toString('hex') }, home, null);
  assert.equal(given.file, null);
  writeFileSync(file, 'no key');
  chmodSync(file, 0o600);
  assert.throws(() => openKeys({ LEOFLOW_SECRET_KEYS: null }, home, null).read(), /key 1 of .*secrets\.keys is not 32 bytes/);
}));
