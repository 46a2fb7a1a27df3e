// Secrets in Vault, both versions of its key-value engine, against a server that answers as its API documents it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { testBackend } from '../../test/support/secrets-conformance.ts';
import { startVaultServer, type VaultServer } from '../../test/support/vault-server.ts';
import { createVaultBackend, type VaultOptions } from './vault-backend.ts';

const optionsOf = (server: VaultServer, more: Partial<VaultOptions> = {}): VaultOptions => ({
  url: server.url, token: () => server.token, mount: 'secret', kvVersion: '2', variablesPath: 'variables', connectionsPath: 'connections', namespace: null, ca: null, timeoutMs: 2000, cacheMs: 0, ...more,
});

for (const kvVersion of ['1', '2'] as const) {
  testBackend(`Vault (key-value ${kvVersion})`, async () => {
    const server = await startVaultServer(kvVersion);
    return {
      backend: createVaultBackend(optionsOf(server, { kvVersion })),
      put: (kind, name, text) => void server.secrets.set(`secret/${kind}/${name}`, kind === 'variables' ? { value: text } : text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { conn_uri: text }),
      remove: (kind, name) => void server.secrets.delete(`secret/${kind}/${name}`),
      close: () => server.close(),
    };
  });
}

describe('Vault', () => {
  const withServer = async (work: (server: VaultServer) => Promise<void>, namespace: string | null = null): Promise<void> => {
    const server = await startVaultServer('2', namespace);
    try {
      await work(server);
    } finally {
      await server.close();
    }
  };
  const unavailable = (text: RegExp) => (error: unknown) => error instanceof AppError && error.code === 'secrets_unavailable' && text.test(error.message) && !error.message.includes('hvs.');

  it('refusals and failures are errors that say so, never absences', () => withServer(async (server) => {
    server.secrets.set('secret/variables/a', { value: 'x' });
    await assert.rejects(createVaultBackend(optionsOf(server, { token: () => 'wrong' })).findVariable('a'), unavailable(/refuses variables\/a: its token/));
    const backend = createVaultBackend(optionsOf(server, { timeoutMs: 150, cacheMs: 60_000 }));
    for (const status of [500, 503, 429]) {
      server.fail(status);
      await assert.rejects(backend.findVariable('a'), unavailable(new RegExp(`answered ${status}`)));
    }
    server.fail('hang');
    await assert.rejects(backend.findVariable('a'), unavailable(/no answer within 150 ms/));
    server.fail(null);
    // A failure was not kept.
    assert.equal(await backend.findVariable('a'), 'x');
    await server.close();
    await assert.rejects(createVaultBackend(optionsOf(server)).findVariable('a'), unavailable(/does not answer .*ECONNREFUSED/));
  }));

  it('mount point, paths, namespace and a fresh token are in each request', () => withServer(async (server) => {
    server.secrets.set('team/flow/vars/a/b', { value: 'x' });
    let asked = 0;
    const token = (): string => {
      asked += 1;
      return server.token;
    };
    const backend = createVaultBackend(optionsOf(server, { mount: '/team/', variablesPath: '/flow/vars/', namespace: 'ns1', token }));
    assert.equal(await backend.findVariable('a/b'), 'x');
    assert.equal(await backend.findVariable('ä ?'), null);
    assert.deepEqual([server.asked, asked], [['/v1/team/data/flow/vars/a/b', '/v1/team/data/flow/vars/%C3%A4%20%3F'], 2]);
  }, 'ns1'));

  it('answers are kept for a while, absences too', () => withServer(async (server) => {
    server.secrets.set('secret/variables/a', { value: 'x' });
    const backend = createVaultBackend(optionsOf(server, { cacheMs: 60_000 }));
    for (const key of ['a', 'a', 'none', 'none']) await backend.findVariable(key);
    assert.equal(server.asked.length, 2);
  }));

  it('a secret without the field that is asked for is no absence', () => withServer(async (server) => {
    server.secrets.set('secret/variables/a', { password: 'canary' });
    await assert.rejects(createVaultBackend(optionsOf(server)).findVariable('a'), (error) => error instanceof AppError && /no field named value/.test(error.message) && !error.message.includes('canary'));
    server.secrets.set('secret/variables/n', { value: { a: 1 } });
    assert.equal(await createVaultBackend(optionsOf(server)).findVariable('n'), '{"a":1}');
  }));
});
