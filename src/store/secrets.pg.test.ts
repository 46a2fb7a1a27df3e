// Secrets at rest: encrypted, bound to their rows, refused without their key; and a rotation under a thousand connections that are read and written all the time.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { fixedKeys } from '#platform/key-file.ts';
import { keyOf, type KeyRing, type SecretKey } from '#platform/secret-box.ts';
import { withDatabase } from '../../test/support/database.ts';
import { changeConnection, type Connection, createConnection, findConnection, setConnection } from './connections.ts';
import type { Database } from './database.ts';
import { forgetKey, listUnreadable, reencrypt } from './rotate-secrets.ts';
import { countUses, dropUnusedKeys, examineRing, greetKeys, promoteFirstKey, readKnownKeys } from './secret-keys.ts';
import { findVariable, setVariable, updateVariable } from './variables.ts';

const fresh = (): SecretKey => keyOf(randomBytes(32));
const ringOf = (first: SecretKey, ...rest: SecretKey[]): KeyRing => ({ keys: [first, ...rest] });
const connectionOf = (id: string, password: string): Connection => ({ conn_id: id, conn_type: 'http', description: null, host: 'h', login: null, password, schema: null, port: null, extra: JSON.stringify({ token: `t-${password}` }) });
const coded = (code: string, text: string) => (error: unknown) => error instanceof AppError && error.code === code && error.message.includes(text);

async function dump(database: Database): Promise<string> {
  const { rows } = await database.pool.query<{ name: string }>("select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace");
  let text = '';
  for (const { name } of rows) text += (await database.pool.query<{ text: string | null }>(`select string_agg(t::text, E'\\n') as text from "${name}" t`)).rows[0]?.text ?? '';
  return text;
}

describe('secrets at rest', () => {
  it('a ciphertext belongs to its row and its field', () => withDatabase(async (database) => {
    const vault = { database, keys: fixedKeys(ringOf(fresh())) };
    await setConnection(vault, connectionOf('a', 'pw-a'));
    await setConnection(vault, connectionOf('b', 'pw-b'));
    await setVariable(vault, { key: 'v', value: 'x', description: null });
    await database.pool.query("update connections set password = (select password from connections where conn_id = 'a') where conn_id = 'b'");
    await assert.rejects(findConnection(vault, 'b'), coded('secret_unreadable', 'the password of the connection b'));
    await database.pool.query("update variables set value = (select extra from connections where conn_id = 'a')");
    await assert.rejects(findVariable(vault, 'v'), coded('secret_unreadable', 'the variable v'));
    assert.equal((await findConnection(vault, 'a'))?.password, 'pw-a');
  }));

  it('without the key nothing is read as missing and nothing is written', () => withDatabase(async (database) => {
    const [key, other] = [fresh(), fresh()];
    const vault = { database, keys: fixedKeys(ringOf(key)) };
    await setVariable(vault, { key: 'v', value: 'x', description: null });
    const stranger = { database, keys: fixedKeys(ringOf(other)) };
    await assert.rejects(findVariable(stranger, 'v'), coded('secret_key_missing', key.id));
    for (const write of [() => setVariable(stranger, { key: 'w', value: 'y', description: null }), () => updateVariable(stranger, 'v', { value: 'y' }), () => createConnection(stranger, connectionOf('c', 'p'))]) {
      await assert.rejects(write(), coded('secret_key_missing', key.id));
    }
    assert.match((await greetKeys(database, ringOf(other))) ?? '', new RegExp(`${key.id} \\(1 values, writes are refused\\)`));
    assert.equal((await readKnownKeys(database)).current, key.id);
    assert.deepEqual(await listUnreadable(database, ringOf(other)), [{ what: 'variable v', keyId: key.id, isDamaged: false }]);
    // Given up, it can be set again.
    assert.equal(await forgetKey(database, ringOf(other), key.id), 1);
    assert.deepEqual(await findVariable(stranger, 'v'), { key: 'v', value: null, description: null });
    await setVariable(stranger, { key: 'v', value: 'again', description: null });
    assert.equal((await findVariable(stranger, 'v'))?.value, 'again');
    assert.equal(await examineRing(database, ringOf(other)), null);
    await assert.rejects(forgetKey(database, ringOf(other), other.id), coded('conflict', 'not lost'));
  }));

  it('a new first key becomes current once; a server with the old order does not take it back', () => withDatabase(async (database) => {
    const [one, two] = [fresh(), fresh()];
    await setVariable({ database, keys: fixedKeys(ringOf(one)) }, { key: 'v', value: 'x', description: null });
    assert.equal(await greetKeys(database, ringOf(two, one)), null);
    assert.equal((await readKnownKeys(database)).current, two.id);
    assert.equal(await greetKeys(database, ringOf(one, two)), null);
    await setVariable({ database, keys: fixedKeys(ringOf(one, two)) }, { key: 'w', value: 'y', description: null });
    assert.deepEqual(Object.fromEntries(await countUses(database)), { [one.id]: 1, [two.id]: 1 });
  }));

  it('a thousand connections are re-encrypted while they are read and changed: no read fails, no write is lost, the old key is not needed any more', () => withDatabase(async (database) => {
    const [old, next] = [fresh(), fresh()];
    let ring = ringOf(old);
    const vault = { database, keys: { read: () => ring, file: null } };
    const names = Array.from({ length: 1000 }, (_, index) => `c${index}`);
    for (let at = 0; at < names.length; at += 50) await Promise.all(names.slice(at, at + 50).map((name) => createConnection(vault, connectionOf(name, `canary-${name}`))));
    let isOver = false;
    let reads = 0;
    const changed = new Map<string, string>();
    const read = async (seed: number): Promise<void> => {
      for (let n = seed; !isOver; n += 7) {
        const name = names[n % names.length] ?? '';
        const found = await findConnection(vault, name);
        assert.ok(found?.password === `canary-${name}` || found?.password === changed.get(name), `${name}: ${found?.password}`);
        reads += 1;
      }
    };
    const write = async (): Promise<void> => {
      for (let n = 3; !isOver; n += 11) {
        const name = names[n % names.length] ?? '';
        changed.set(name, `changed-${name}`);
        await changeConnection(vault, name, (known) => ({ ...known, password: `changed-${name}` }));
      }
    };
    const readers = [read(0), read(1), read(2)];
    const writer = write();
    ring = ringOf(next, old);
    await promoteFirstKey(database, ring);
    const { done, unreadable } = await reencrypt(database, vault.keys);
    isOver = true;
    await Promise.all([...readers, writer]);
    assert.deepEqual(unreadable, []);
    assert.ok(done > 1000 && reads > 10, `${done} values, ${reads} reads`);
    assert.deepEqual([...(await countUses(database)).keys()], [next.id]);
    assert.deepEqual(await dropUnusedKeys(database), [old.id]);
    ring = ringOf(next);
    for (const name of ['c0', 'c500', 'c999', ...changed.keys()]) assert.equal((await findConnection(vault, name))?.password, changed.get(name) ?? `canary-${name}`);
    assert.ok(!/canary-|changed-/.test(await dump(database)));
  }));
});
