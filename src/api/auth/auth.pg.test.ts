// Logging in and being let in: passwords, tokens of every wrong kind, roles, and how often one may guess.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { SignJWT } from 'jose';
import { sql } from 'kysely';
import { includesRole, ROLES } from '#contract/roles.ts';
import { hashPassword } from '#store/password-hashes.ts';
import { readSecret } from '#store/server-secrets.ts';
import { saveUser } from '#store/users.ts';
import { testApi, type TestApi } from '../../../test/support/api.ts';
import { testDatabase } from '../../../test/support/database.ts';
import { ROUTES } from '../routes.ts';
import { isPassword } from './passwords.ts';
import { roleFor } from './roles.ts';
import { readSigningKey, signToken, verifyToken } from './tokens.ts';

let api: TestApi;
let key: Buffer;
before(async () => {
  api = await testApi();
  key = await readSigningKey(api.database, { LEOFLOW_JWT_SECRET: null });
  await saveUser(api.database, { username: 'ann', passwordHash: await hashPassword('correct horse'), role: 'op' });
});

const ask = (token: string, headers: Record<string, string> = {}) => api.ask('GET', '/dags', { role: null, headers: { authorization: `Bearer ${token}`, ...headers } });

test('a password is right, wrong, or of nobody', async () => {
  const hash = await hashPassword('correct horse');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.equal(await isPassword('correct horse', hash), true);
  for (const [password, stored] of [['wrong', hash], ['correct horse', null], ['no account has this', null], ['x', 'no hash'], ['x', '$argon2id$v=19$m=9999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']] as const) {
    assert.equal(await isPassword(password, stored), false);
  }
});

test('a token of ours names its person', async () => {
  const token = await signToken(key, { name: 'ann', role: 'op' }, 60);
  assert.deepEqual(await verifyToken(key, token), { kind: 'ok', person: { name: 'ann', role: 'op' } });
  const [header = '', payload = ''] = token.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS512', kid: 'not-used', typ: 'JWT' });
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iat', 'jti', 'nbf', 'role', 'sub', 'teams']);
});

test('every other token is 401', async () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = { role: 'ADMIN', sub: 'eve', aud: 'apache-airflow', iat: now, nbf: now, exp: now + 60 };
  const sign = (more: Record<string, unknown>, options: { alg?: string; secret?: Buffer } = {}): Promise<string> =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: options.alg ?? 'HS512' }).sign(options.secret ?? key);
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
  const good = await sign({});
  const wrong: Record<string, string> = {
    unsigned, otherAlgorithm: await sign({}, { alg: 'HS256' }), otherKey: await sign({}, { secret: Buffer.alloc(64, 1) }), otherAudience: await sign({ aud: 'urn:airflow.apache.org:task' }),
    noExpiry: await sign({ exp: undefined }), noSubject: await sign({ sub: undefined }), noRole: await sign({ role: undefined }), otherRole: await sign({ role: 'root' }),
    notYet: await sign({ nbf: now + 600 }), garbage: 'a.b.c', words: 'not a token', huge: 'x'.repeat(100_000), cut: good.slice(0, -3), changed: good.replace(/\../, '.A'),
  };
  assert.equal((await ask(good)).status, 200);
  for (const [name, token] of Object.entries(wrong)) {
    const answer = await ask(token);
    assert.deepEqual([answer.status, answer.json], [401, { detail: 'Invalid JWT token' }], name);
  }
  assert.deepEqual((await ask(await sign({ exp: now - 60, iat: now - 120, nbf: now - 120 }))).json, { detail: 'Token Expired' });
  assert.equal((await ask(await sign({ exp: now - 5 }))).status, 200, 'within the leeway');
  const nobody = await api.ask('GET', '/dags', { role: null });
  assert.deepEqual([nobody.status, nobody.json, nobody.headers['www-authenticate']], [401, { detail: 'Not authenticated' }, 'Bearer']);
  assert.equal((await api.ask('GET', '/dags', { role: null, headers: { authorization: 'Basic YTpi' } })).status, 401);
});

test('the cookie does as well as the header, which comes first', async () => {
  const token = await signToken(key, { name: 'ann', role: 'viewer' }, 60);
  assert.equal((await api.ask('GET', '/dags', { role: null, headers: { cookie: `a=b; _token=${token}` } })).status, 200);
  assert.equal((await api.ask('GET', '/dags', { role: null, headers: { cookie: `_token=${token}`, authorization: 'Bearer wrong' } })).status, 401);
});

test('every operation is closed to nobody and to weaker roles, and open to its own', async () => {
  for (const route of ROUTES) {
    const needed = roleFor(route.access);
    if (needed === null) continue;
    const path = route.path.replace(/\{(\w+)\}/g, '1');
    assert.equal((await api.ask(route.method, path, { role: null })).status, 401, route.id);
    for (const role of ROLES) {
      if (includesRole(role, needed)) continue;
      const answer = await api.ask(route.method, path, { role, ...(route.method === 'GET' ? {} : { body: {} }) });
      assert.deepEqual([answer.status, answer.json], [403, { detail: 'Forbidden' }], `${route.id} as ${role}`);
    }
    const answer = await api.ask(route.method, path, { role: needed, ...(route.method === 'GET' ? {} : { body: {} }) });
    assert.ok(![401, 403].includes(answer.status), `${route.id} as ${needed}: ${answer.status}`);
    assert.ok(answer.status < 500 || answer.status === 501, `${route.id}: ${answer.status} ${answer.text}`);
  }
});

test('the roles of Airflow’s simple auth manager', () => {
  const cases = [
    ['none', null], ['dag:GET', 'viewer'], ['dag.RUN:POST', 'user'], ['backfill:POST', 'user'], ['pool:GET', 'viewer'], ['pool:POST', 'op'], ['asset:DELETE+dag:GET', 'op'], ['connection:GET', 'op'],
    ['variable:GET', 'op'], ['view.JOBS', 'viewer'], ['pool_bulk', 'op'], ['version:POST', 'op'],
  ] as const;
  for (const [access, role] of cases) assert.equal(roleFor(access), role, access);
  assert.throws(() => roleFor('unheard:GET'), /no rule/);
});

test('a form logs in as JSON does, and bodies that make no sense are refused', async () => {
  const form = await api.app.inject({ method: 'POST', url: '/auth/token', headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'username=ann&password=correct+horse' });
  assert.equal(form.statusCode, 201);
  const text = await api.app.inject({ method: 'POST', url: '/auth/token', headers: { 'content-type': 'text/plain' }, payload: 'ann' });
  assert.equal(text.statusCode, 415);
  assert.equal((await api.ask('POST', '!/auth/token', { role: null, body: { username: 'ann' } })).status, 422);
  assert.deepEqual((await api.ask('POST', '!/auth/token', { role: null, body: { username: '', password: '' } })).json, { detail: 'Username and password must be provided' });
  assert.equal((await api.ask('POST', '!/auth/token/cli', { role: null, body: { username: 'ann', password: 'correct horse' } })).status, 201);
});

test('after five failures a minute an account and an address wait', async () => {
  const own = await testApi();
  await saveUser(own.database, { username: 'bob', passwordHash: await hashPassword('right password'), role: 'user' });
  const login = (username: string, password: string) => own.ask('POST', '!/auth/token', { role: null, body: { username, password } });
  for (let guess = 0; guess < 5; guess += 1) assert.equal((await login('bob', `guess ${guess}`)).status, 401);
  const refused = await login('bob', 'right password');
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '60']);
  assert.equal((await login('someone else', 'x')).status, 429, 'the address waits too');
  await own.database.kysely.updateTable('login_failures').set({ at: sql`clock_timestamp() - interval '61 seconds'` }).execute();
  assert.equal((await login('bob', 'right password')).status, 201);
  const burst = await Promise.all(Array.from({ length: 20 }, () => login('bob', 'guess')));
  assert.equal(burst.filter((answer) => answer.status === 401).length <= 5, true, 'guesses sent at once count as well');
  assert.equal((await own.database.kysely.selectFrom('login_failures').select('subject').execute()).some((row) => row.subject.includes('bob')), false, 'names are not kept');
});

test('servers that start at once agree on the key', async () => {
  const database = await testDatabase();
  const keys = await Promise.all(Array.from({ length: 8 }, () => readSecret(database, 'jwt')));
  assert.equal(new Set(keys.map((each) => each.toString('hex'))).size, 1);
  assert.equal(keys[0]?.length, 64);
});
