// Variables and connections over the API: Airflow's shapes and status codes, masks that come back, bulk requests, the audit log, and that no secret is shown.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { findConnection } from '#store/connections.ts';
import { findVariable } from '#store/variables.ts';
import { testApi, type TestApi } from '../../../test/support/api.ts';

describe('variables and connections over the API', () => {
  let api: TestApi;
  before(async () => {
    api = await testApi();
  });

  const PASSWORD = 'canary-pw-1';
  const KEY = 'canary-key-2';
  const connection = { connection_id: 'db', conn_type: 'postgres', host: 'h', login: 'u', password: PASSWORD, port: 5432, schema: 's', extra: JSON.stringify({ sslmode: 'require', nested: { api_key: KEY } }) };

  test('a variable is made, read, listed, patched and deleted', async () => {
    const made = await api.ask('POST', '/variables', { body: { key: 'plain', value: 'one', description: 'd' } });
    assert.deepEqual([made.status, made.json], [201, { key: 'plain', value: 'one', description: 'd', is_encrypted: true, team_name: null }]);
    const again = await api.ask('POST', '/variables', { body: { key: 'plain', value: 'x' } });
    assert.deepEqual([again.status, again.json], [409, { detail: 'The Variable with key: `plain` already exists' }]);
    await api.ask('POST', '/variables', { body: { key: 'a/b', value: { n: [1, null], token: KEY } } });
    assert.equal((await api.ask('GET', '/variables/a/b')).text, JSON.stringify({ key: 'a/b', value: '{"n": [1, null], "token": "***"}', description: null, is_encrypted: true, team_name: null }));
    const patched = await api.ask('PATCH', '/variables/plain?update_mask=description', { body: { key: 'plain', value: 'ignored', description: 'e' } });
    assert.deepEqual((patched.json as { value: string; description: string }), { key: 'plain', value: 'one', description: 'e', is_encrypted: true, team_name: null });
    assert.equal((await api.ask('PATCH', '/variables/plain', { body: { key: 'other', value: '' } })).status, 400);
    assert.equal((await api.ask('PATCH', '/variables/plain?update_mask=key', { body: { key: 'plain', value: '' } })).status, 400);
    assert.deepEqual((await api.ask('PATCH', '/variables/none', { body: { key: 'none', value: '' } })).json, { detail: 'The Variable with key: `none` was not found' });
    const list = (await api.ask('GET', '/variables?order_by=-key&variable_key_pattern=A&limit=1')).json as { variables: { key: string }[]; total_entries: number };
    assert.deepEqual([list.variables.map((row) => row.key), list.total_entries], [['plain'], 2]);
    assert.equal((await api.ask('GET', '/variables?order_by=value')).status, 400);
    assert.deepEqual([(await api.ask('DELETE', '/variables/plain')).status, (await api.ask('DELETE', '/variables/plain')).status], [204, 404]);
  });

  test('sensitive values are masked whatever they hold, and a mask keeps what it hides', async () => {
    for (const value of ['12345', 'text', '{"a": 1}']) {
      await api.ask('DELETE', '/variables/my_api_key');
      const made = await api.ask('POST', '/variables', { body: { key: 'my_api_key', value } });
      assert.equal((made.json as { value: string }).value, '***');
      await api.ask('PATCH', '/variables/my_api_key', { body: { key: 'my_api_key', value: '***', description: 'kept' } });
      assert.deepEqual(await findVariable(api, 'my_api_key'), { key: 'my_api_key', value, description: 'kept' });
    }
    await api.ask('PATCH', '/variables/a/b', { body: { key: 'a/b', value: '{"n": 2, "token": "***"}' } });
    assert.equal((await findVariable(api, 'a/b'))?.value, `{"n": 2, "token": "${KEY}"}`);
  });

  test('a connection is made, read, listed, patched and deleted, its secrets kept and never shown', async () => {
    const shown = { connection_id: 'db', conn_type: 'postgres', description: null, host: 'h', login: 'u', schema: 's', port: 5432, password: '***', extra: '{"sslmode": "require", "nested": {"api_key": "***"}}', team_name: null };
    const made = await api.ask('POST', '/connections', { body: connection });
    assert.deepEqual([made.status, made.json], [201, shown]);
    assert.equal((await api.ask('POST', '/connections', { body: connection })).status, 409);
    assert.deepEqual((await api.ask('GET', '/connections/db')).json, shown);
    const patched = await api.ask('PATCH', '/connections/db', { body: { ...shown, host: 'h2', team_name: null } });
    assert.deepEqual([patched.status, patched.json], [200, { ...shown, host: 'h2' }]);
    const stored = await findConnection(api, 'db');
    assert.deepEqual([stored?.password, JSON.parse(stored?.extra ?? '')], [PASSWORD, JSON.parse(connection.extra)]);
    await api.ask('PATCH', '/connections/db?update_mask=port&update_mask=login', { body: { connection_id: 'db', conn_type: 'x', port: 1, host: 'no', login: null } });
    assert.deepEqual((({ port, host, login, conn_type }) => ({ port, host, login, conn_type }))((await findConnection(api, 'db')) ?? assert.fail()), { port: 1, host: 'h2', login: null, conn_type: 'postgres' });
    await api.ask('PATCH', '/connections/db', { body: { connection_id: 'db', conn_type: 'postgres', extra: null, password: null } });
    assert.deepEqual((({ password, extra }) => ({ password, extra }))((await findConnection(api, 'db')) ?? assert.fail()), { password: PASSWORD, extra: null });
    assert.equal((await api.ask('PATCH', '/connections/db', { body: { connection_id: 'other', conn_type: 'x' } })).status, 400);
    const list = (await api.ask('GET', '/connections?order_by=-connection_id&connection_id_pattern=d')).json as { connections: unknown[]; total_entries: number };
    assert.deepEqual([list.connections.length, list.total_entries], [1, 1]);
    assert.deepEqual((await api.ask('GET', '/connections/none')).json, { detail: 'The Connection with connection_id: `none` was not found' });
    assert.equal((await api.ask('POST', '/connections/test', { body: connection })).status, 403);
    assert.deepEqual([(await api.ask('DELETE', '/connections/db')).status, (await api.ask('DELETE', '/connections/db')).status], [204, 404]);
  });

  test('what is refused is named without what is secret', async () => {
    const wrong = await api.ask('POST', '/connections', { body: { ...connection, connection_id: 'a b', port: 'x', surplus: 1 } });
    assert.deepEqual((wrong.json as { detail: { loc: string[]; type: string }[] }).detail.map((one) => [one.loc.at(-1), one.type]), [['connection_id', 'string_pattern_mismatch'], ['port', 'int_parsing'], ['surplus', 'extra_forbidden']]);
    const { conn_type: _, ...untyped } = connection;
    const extra = await api.ask('POST', '/connections', { body: { ...connection, extra: `{"token": "${KEY}"` } });
    const bulk = await api.ask('PATCH', '/connections', { body: { actions: [{ action: 'create', entities: [untyped] }, { action: 'none', entities: [connection] }] } });
    assert.deepEqual((bulk.json as { detail: { loc: unknown[]; type: string }[] }).detail.map((one) => [one.loc.join('.'), one.type]), [['body.actions.0.create.entities.0.conn_type', 'missing'], ['body.actions.1', 'union_tag_invalid']]);
    for (const answer of [wrong, extra, bulk, await api.ask('POST', '/connections', { body: untyped })]) {
      assert.equal(answer.status, 422);
      assert.ok(!answer.text.includes(PASSWORD) && !answer.text.includes(KEY), answer.text);
    }
  });

  test('bulk requests', async () => {
    const actions = [
      { action: 'create', entities: [{ key: 'b1', value: 1 }, { key: 'b2', value: { x: true } }] }, { action: 'create', entities: [{ key: 'b1', value: 'no' }], action_on_existence: 'fail' },
      { action: 'create', entities: [{ key: 'b1', value: 'no' }, { key: 'b3', value: null }], action_on_existence: 'skip' }, { action: 'create', entities: [{ key: 'b3', value: 'over' }], action_on_existence: 'overwrite' },
      { action: 'update', entities: [{ key: 'b1', value: 'two', description: 'd' }], update_mask: ['description'] }, { action: 'update', entities: [{ key: 'none', value: '' }] },
      { action: 'delete', entities: ['b2', 'none'], action_on_non_existence: 'skip' }, { action: 'delete', entities: ['none'] },
    ];
    const done = await api.ask('PATCH', '/variables', { body: { actions } });
    assert.deepEqual(done.json, {
      create: { success: ['b1', 'b2', 'b3', 'b3'], errors: [{ error: "The variables with these keys: {'b1'} already exist.", status_code: 409 }] },
      update: { success: ['b1'], errors: [{ error: "The variables with these keys: {'none'} were not found.", status_code: 404 }] },
      delete: { success: ['b2'], errors: [{ error: "The variables with these keys: {'none'} were not found.", status_code: 404 }] },
    });
    assert.deepEqual([await findVariable(api, 'b1'), (await findVariable(api, 'b3'))?.value], [{ key: 'b1', value: '1', description: 'd' }, 'over']);
    await api.ask('PATCH', '/connections', { body: { actions: [{ action: 'create', entities: [connection] }] } });
    const over = await api.ask('PATCH', '/connections', { body: { actions: [{ action: 'create', entities: [{ connection_id: 'db', conn_type: 'http', password: '***' }], action_on_existence: 'overwrite' }] } });
    assert.deepEqual(over.json, { create: { success: ['db'], errors: [] }, update: null, delete: null });
    assert.deepEqual((({ password, host, extra }) => ({ password, host, extra }))((await findConnection(api, 'db')) ?? assert.fail()), { password: PASSWORD, host: null, extra: null });
  });

  test('a mask that comes back in a bulk request keeps what it hides', async () => {
    for (const body of [{ key: 'over_api_key', value: KEY }, { key: 'over', value: { token: KEY, n: 1 } }]) await api.ask('POST', '/variables', { body });
    const entities = [{ key: 'over_api_key', value: '***' }, { key: 'over', value: '{"token": "***", "n": 2}' }];
    assert.equal((await api.ask('PATCH', '/variables', { body: { actions: [{ action: 'create', entities, action_on_existence: 'overwrite' }] } })).status, 200);
    assert.deepEqual([(await findVariable(api, 'over_api_key'))?.value, (await findVariable(api, 'over'))?.value], [KEY, `{"token": "${KEY}", "n": 2}`]);
  });

  test('a value nested without an end is shown as far as it goes', async () => {
    const value = '['.repeat(5_000) + ']'.repeat(5_000);
    for (const [method, path] of [['POST', '/variables'], ['PATCH', '/variables/deep']] as const) assert.ok((await api.ask(method, path, { body: { key: 'deep', value } })).status < 300);
    const shown = await api.ask('GET', '/variables/deep');
    assert.deepEqual([shown.status, (shown.json as { value: string }).value], [200, `${'['.repeat(64)}"***"${']'.repeat(64)}`]);
    assert.equal((await api.ask('GET', '/variables')).status, 200);
    await api.ask('DELETE', '/variables/deep');
  });

  test('what cannot be decrypted is listed as ***, told in the log, refused by name, and can be set again', async () => {
    await api.ask('POST', '/variables', { body: { key: 'lost', value: 'canary-lost-1', description: 'd' } });
    await api.ask('POST', '/connections', { body: { ...connection, connection_id: 'lost' } });
    const lose = "set %F = overlay(%F placing '\\x0102030405060708' from 2 for 8)";
    await api.database.pool.query(`update variables ${lose.replaceAll('%F', 'value')} where key = 'lost'`);
    for (const field of ['password', 'extra']) await api.database.pool.query(`update connections ${lose.replaceAll('%F', field)} where conn_id = 'lost'`);
    const variables = await api.ask('GET', '/variables?variable_key_pattern=lost');
    assert.deepEqual((variables.json as { variables: { value: string }[] }).variables.map((one) => one.value), ['***']);
    const connections = await api.ask('GET', '/connections?connection_id_pattern=lost');
    assert.deepEqual((connections.json as { connections: { password: string; extra: string; host: string }[] }).connections.map(({ password, extra, host }) => [password, extra, host]), [['***', '***', 'h']]);
    const told = api.events.flatMap((event) => (event.event === 'secrets.key_missing' ? [event.message] : []));
    assert.deepEqual(told.map((message) => /variable lost is encrypted with the key 0102030405060708|password of the connection lost .*0102030405060708.*extra of/.test(message)), [true, true], told.join('\n'));
    for (const path of ['/variables/lost', '/connections/lost']) {
      const got = await api.ask('GET', path);
      assert.ok(got.status >= 500 && got.text.includes('0102030405060708'), got.text);
    }
    // A mask would have to be read; a value need not.
    assert.ok((await api.ask('PATCH', '/variables/lost', { body: { key: 'lost', value: '{"token": "***"}' } })).status >= 500);
    assert.ok((await api.ask('PATCH', '/connections/lost', { body: { connection_id: 'lost', conn_type: 'x', extra: '{"api_key": "***"}' } })).status >= 500);
    const host = await api.ask('PATCH', '/connections/lost', { body: { connection_id: 'lost', conn_type: 'postgres', host: 'h3', password: '***', extra: '***' } });
    assert.deepEqual([host.status, (host.json as { host: string; extra: string }).host, (host.json as { extra: string }).extra], [200, 'h3', '***']);
    assert.equal((await api.ask('PATCH', '/variables/lost?update_mask=description', { body: { key: 'lost', value: '', description: 'e' } })).status, 200);
    assert.equal((await api.ask('PATCH', '/variables/lost', { body: { key: 'lost', value: 'again' } })).status, 200);
    assert.deepEqual(await findVariable(api, 'lost'), { key: 'lost', value: 'again', description: 'e' });
    const over = { action: 'create', entities: [{ connection_id: 'lost', conn_type: 'http', password: 'again', extra: '{"a": "b"}' }], action_on_existence: 'overwrite' };
    assert.equal((await api.ask('PATCH', '/connections', { body: { actions: [over] } })).status, 200);
    assert.deepEqual((({ password, extra }) => [password, extra])((await findConnection(api, 'lost')) ?? assert.fail()), ['again', '{"a": "b"}']);
    await api.ask('DELETE', '/connections/lost');
  });

  test('the audit log and every row are without secrets, and roles below op see nothing', async () => {
    await api.ask('POST', '/connections', { body: { ...connection, connection_id: 'audited' } });
    await api.ask('PATCH', '/variables', { body: { actions: [{ action: 'create', entities: [{ key: 'audited', value: 'canary-value-3' }] }] } });
    const { rows: tables } = await api.database.pool.query<{ name: string }>("select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace");
    let dump = '';
    for (const { name } of tables) dump += (await api.database.pool.query<{ text: string | null }>(`select string_agg(t::text, E'\\n') as text from "${name}" t`)).rows[0]?.text ?? '';
    for (const secret of [PASSWORD, KEY, 'canary-value-3']) {
      for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')]) assert.ok(!dump.includes(form), form);
    }
    assert.ok(dump.includes('post_connection') && dump.includes('audited'));
    for (const path of ['/connections', '/variables', '/connections/db']) assert.equal((await api.ask('GET', path, { role: 'user' })).status, 403);
  });
});
