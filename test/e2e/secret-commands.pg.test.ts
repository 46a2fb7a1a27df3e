// `leoflow variables`, `connections` and `keys` against a real server and its database: what is shown, what only the database's owner sees, Airflow's files in and out.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Command } from 'commander';
import { readSigningKey, signToken } from '#api/auth/tokens.ts';
import { connectionsCommand } from '#cli/connections.ts';
import type { CliContext } from '#cli/context.ts';
import { keysCommand } from '#cli/keys.ts';
import { variablesCommand } from '#cli/variables.ts';
import { AppError } from '#contract/errors.ts';
import { readConfig } from '#platform/config.ts';
import { fixedKeys } from '#platform/key-file.ts';
import { keyOf, parseKeys } from '#platform/secret-box.ts';
import { findVariable, setVariable } from '#store/variables.ts';
import { testApi, type TestApi } from '../support/api.ts';

describe('the commands of variables and connections', () => {
  const home = mkdtempSync(join(tmpdir(), 'leoflow-cli-'));
  let api: TestApi;
  let env: Record<string, string> = {};
  /** What the last command printed, also when it failed. */
  let lastOut = '';
  before(async () => {
    api = await testApi();
    const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
    writeFileSync(join(home, 'server.json'), JSON.stringify({ url }));
    const key = await readSigningKey(api.database, { LEOFLOW_JWT_SECRET: null });
    writeFileSync(join(home, 'token'), `${await signToken(key, { name: 'ann', role: 'admin' }, 600)}\n`);
    env = { LEOFLOW_DATABASE_URL: api.database.url, LEOFLOW_SECRET_KEYS: api.keys.read().keys[0].bytes.toString('base64') };
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  async function run(...line: string[]): Promise<string> {
    const written = { out: '' };
    const context: CliContext = {
      readConfig: (overrides) => readConfig({ LEOFLOW_HOME: home, ...overrides }, env), homeOf: (config) => config.LEOFLOW_HOME ?? home, out: (text) => void (written.out += text), err: () => undefined,
      outIsTerminal: false, coloured: false, stop: new AbortController().signal,
    };
    const program = new Command('leoflow').exitOverride();
    for (const make of [variablesCommand, connectionsCommand, keysCommand]) program.addCommand(make(context));
    await program.parseAsync(['node', 'leoflow', ...line]).finally(() => (lastOut = written.out));
    return written.out;
  }

  const coded = (code: string, text: RegExp) => (error: unknown) => error instanceof AppError && error.code === code && text.test(error.message);
  const write = (name: string, text: string): string => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };

  test('variables: set, get, list, delete', async () => {
    assert.equal(await run('variables', 'set', 'a/region', 'eu', '--description', 'where'), 'a/region is set\n');
    await run('variables', 'set', 'a/region', 'us');
    await run('variables', 'set', 'api_key', 'canary-1');
    assert.equal(await run('variables', 'get', 'a/region'), 'us\n');
    assert.equal(await run('variables', 'get', 'api_key'), '***\n');
    assert.equal(await run('variables', 'get', 'api_key', '--show-secrets'), 'canary-1\n');
    assert.match(await run('variables', 'list'), /a\/region +us +where\napi_key +\*\*\*/);
    await run('variables', 'delete', 'a/region');
    await assert.rejects(run('variables', 'get', 'a/region'), coded('not_found', /a\/region/));
    await assert.rejects(run('variables', 'get', 'none', '--show-secrets'), coded('not_found', /none/));
  });

  test('variables: Airflow’s file in, what exists left or refused, the same file out for its owner alone', async () => {
    const file = write('v.json', '{"api_key": "other", "n": {"a": 1}, "d": {"value": "x", "description": "y"}}');
    assert.equal(await run('variables', 'import', file, '--skip-existing'), '2 of 3 variables are set\n');
    await assert.rejects(run('variables', 'import', file, '--fail'), coded('conflict', /'api_key', 'd', 'n'.* already exist/));
    await assert.rejects(run('variables', 'import', file, '--fail', '--overwrite'), coded('usage', /choose one/));
    const out = join(home, 'out.json');
    await run('variables', 'export', out);
    assert.deepEqual(JSON.parse(readFileSync(out, 'utf8')), { api_key: 'canary-1', d: { value: 'x', description: 'y' }, n: { a: 1 } });
    assert.equal(statSync(out).mode & 0o777, 0o600);
    assert.equal(await run('variables', 'import', file), '3 of 3 variables are set\n');
    assert.equal(await run('variables', 'get', 'api_key', '--show-secrets'), 'other\n');
  });

  test('connections: from a URI and from parts, shown masked, replaced as a whole', async () => {
    await run('connections', 'set', 'db', 'postgres://u:canary%2F2@h:5/s?token=canary-3');
    assert.match(await run('connections', 'get', 'db'), /password +\*\*\*[^]*extra +\{"token": "\*\*\*"\}/);
    assert.match(await run('connections', 'get', 'db', '--show-secrets'), /password +canary\/2[^]*canary-3/);
    await run('connections', 'set', 'db', '--type', 'http', '--host', 'h2', '--description', 'd');
    assert.equal(await run('connections', 'export', '--format', 'env'), 'db={"conn_type":"http","description":"d","host":"h2","schema":null,"login":null,"password":null,"port":null,"extra":null}\n');
    await assert.rejects(run('connections', 'set', 'db', 'http://u:canary@h:port'), (error) => coded('invalid_value', /its port/)(error) && !String(error).includes('canary'));
    await assert.rejects(run('connections', 'set', 'db', 'no-type'), coded('invalid_value', /no type/));
    assert.equal(await run('connections', 'import', write('c.yaml', 'x: http://h\ny: {conn_type: ssh}\n')), '2 of 2 connections are set\n');
    assert.match(await run('connections', 'list'), /^ID +TYPE[^]*x +http +h[^]*y +ssh/);
    await run('connections', 'delete', 'x');
  });

  test('keys: on a database that other machines may use, a key is added first and rotated in afterwards', async () => {
    const { LEOFLOW_SECRET_KEYS: mine = '', ...others } = env;
    const file = join(home, 'keys', 'secrets.keys');
    mkdirSync(join(home, 'keys'));
    writeFileSync(file, `# ours\n${mine}\n`, { mode: 0o600 });
    env = others;
    const before = readFileSync(file, 'utf8');
    await assert.rejects(run('keys', 'rotate'), (error) => coded('usage', /servers on other machines could neither read nor write/)(error) && /keys add.*--yes/.test((error as AppError).hint));
    assert.equal(readFileSync(file, 'utf8'), before);
    // As the other machines still have it.
    const lagging = fixedKeys(parseKeys(before, 'before'));
    const added = JSON.parse(await run('keys', 'add', '--json')) as { key: string };
    assert.match(await run('keys', 'add'), new RegExp(`the key ${added.key} stands behind the others\\nCopy .*secrets.keys to every server`));
    const copied = fixedKeys(parseKeys(readFileSync(file, 'utf8'), 'copied'));
    assert.deepEqual(copied.read().keys.map((key) => key.id), [keyOf(Buffer.from(mine, 'base64')).id, added.key]);
    // Nothing is under it: who does not have it yet reads and writes.
    await setVariable({ database: api.database, keys: lagging }, { key: 'between', value: 'x', description: null });
    assert.equal(await run('keys', 'rotate', '--drop-old', '--json').then((text) => (JSON.parse(text) as { dropped: string[] }).dropped.length), 0);
    const rotated = JSON.parse(await run('keys', 'rotate', '--json')) as { key: string; reencrypted: number };
    assert.deepEqual([rotated.key, rotated.reencrypted > 2], [added.key, true]);
    assert.equal((await findVariable({ database: api.database, keys: copied }, 'between'))?.value, 'x');
    await setVariable({ database: api.database, keys: copied }, { key: 'between', value: 'y', description: null });
    // The key that was retired is not taken for one that was added.
    await assert.rejects(run('keys', 'rotate'), coded('usage', /other machines/));
    const alone = JSON.parse(await run('keys', 'rotate', '--yes', '--json')) as { key: string };
    assert.ok(![added.key, keyOf(Buffer.from(mine, 'base64')).id].includes(alone.key));
    // Back to the key of the tests that follow.
    writeFileSync(file, `${mine}\n${readFileSync(file, 'utf8').replaceAll(mine, '')}`);
    assert.equal((JSON.parse(await run('keys', 'rotate', '--json')) as { key: string }).key, keyOf(Buffer.from(mine, 'base64')).id);
    assert.equal((JSON.parse(await run('keys', 'rotate', '--drop-old', '--json')) as { dropped: string[] }).dropped.length, 2);
    env = { ...others, LEOFLOW_SECRET_KEYS: mine };
  });

  test('keys: a rotation tells which values it could not read', async () => {
    await run('variables', 'set', 'unreadable', 'x');
    await api.database.pool.query("update variables set value = overlay(value placing '\\x0102030405060708' from 2 for 8) where key = 'unreadable'");
    await assert.rejects(run('keys', 'rotate', '--drop-old'), coded('secret_key_missing', /1 values could not be read/));
    assert.match(lastOut, /cannot decrypt variable unreadable\n/);
    // An export leaves nothing out; a new value can be set.
    await assert.rejects(run('variables', 'export'), coded('secret_key_missing', /the variable unreadable is encrypted with the key 0102030405060708/));
    assert.match(await run('variables', 'list'), /unreadable +\*\*\*/);
    await run('variables', 'set', 'unreadable', 'y');
    assert.equal(await run('variables', 'get', 'unreadable'), 'y\n');
    await run('variables', 'delete', 'unreadable');
  });

  test('keys: the setting itself is not rotated; what another key needs is listed and given up on request', async () => {
    await assert.rejects(run('keys', 'rotate'), coded('usage', /stand in LEOFLOW_SECRET_KEYS itself/));
    const [mine, other] = [env['LEOFLOW_SECRET_KEYS'] ?? '', randomBytes(32).toString('base64')];
    assert.match(await run('keys', 'check'), /current key of the database: [0-9a-f]{16}/);
    env = { ...env, LEOFLOW_SECRET_KEYS: `${other}\n${mine}` };
    // A new first key: the rotation that the setting asks for.
    const rotated = JSON.parse(await run('keys', 'rotate', '--json')) as { key: string; reencrypted: number };
    assert.ok(rotated.reencrypted > 2);
    env = { ...env, LEOFLOW_SECRET_KEYS: mine };
    await assert.rejects(run('keys', 'check'), coded('secret_key_missing', /values cannot be decrypted/));
    await assert.rejects(run('keys', 'forget', rotated.key), coded('usage', /lost for good/));
    assert.match(await run('keys', 'forget', rotated.key, '--yes'), /values emptied/);
    await setVariable(api, { key: 'again', value: 'x', description: null });
    assert.match(await run('keys', 'check'), /1 values/);
  });

  test('a key file that is lost is never replaced by a command that looks', async () => {
    const given = env['LEOFLOW_SECRET_KEYS'];
    delete env['LEOFLOW_SECRET_KEYS'];
    rmSync(join(home, 'keys'), { recursive: true, force: true });
    const lost = coded('invalid_config', /the key file .*secrets\.keys cannot be read/);
    for (const line of [['keys', 'check'], ['keys', 'rotate', '--yes'], ['connections', 'export']]) await assert.rejects(run(...line), lost, line.join(' '));
    assert.equal(statSync(join(home, 'keys', 'secrets.keys'), { throwIfNoEntry: false }), undefined);
    if (given !== undefined) env['LEOFLOW_SECRET_KEYS'] = given;
  });
});
