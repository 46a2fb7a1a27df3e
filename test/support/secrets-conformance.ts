// What every secrets backend does, whatever keeps its secrets: one suite for all of them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SecretsBackend } from '#contract/secrets.ts';
import { AppError } from '#contract/errors.ts';

/** A backend and the place behind it. */
export interface BackendUnderTest {
  readonly backend: SecretsBackend;
  /** Stores the text of a secret. */
  readonly put: (kind: 'variables' | 'connections', name: string, text: string) => void;
  readonly remove: (kind: 'variables' | 'connections', name: string) => void;
  close(): Promise<void>;
}

/** Runs the suite. */
export function testBackend(name: string, open: () => Promise<BackendUnderTest>): void {
  const withBackend = async (work: (under: BackendUnderTest) => Promise<void>): Promise<void> => {
    const under = await open();
    try {
      await work(under);
    } finally {
      await under.close();
    }
  };

  describe(`${name} as a secrets backend`, () => {
    it('finds what is there and answers null for what is not', () => withBackend(async ({ backend, put, remove }) => {
      put('variables', 'a', 'text with é, "quotes" and\nlines');
      assert.equal(await backend.findVariable('a'), 'text with é, "quotes" and\nlines');
      assert.equal(await backend.findVariable('b'), null);
      assert.equal(await backend.findConnection('a'), null);
      remove('variables', 'a');
      assert.equal(await backend.findVariable('a'), null);
    }));

    it('an empty value is a value', () => withBackend(async ({ backend, put }) => {
      put('variables', 'empty', '');
      assert.equal(await backend.findVariable('empty'), '');
    }));

    it('reads connections as URI and as JSON', () => withBackend(async ({ backend, put }) => {
      put('connections', 'uri', 'my-type://u:p%40w@h:5/s?a=b');
      put('connections', 'json', '{"conn_type": "http", "host": "h", "extra": {"a": 1}}');
      assert.deepEqual(await backend.findConnection('uri'), { conn_id: 'uri', conn_type: 'my_type', description: null, host: 'h', login: 'u', password: 'p@w', schema: 's', port: 5, extra: '{"a": "b"}' });
      const json = await backend.findConnection('json');
      assert.deepEqual([json?.conn_id, json?.conn_type, json?.extra], ['json', 'http', '{"a": 1}']);
    }));

    it('says what is wrong with a connection and shows nothing of it', () => withBackend(async ({ backend, put }) => {
      put('connections', 'bad', 'http://u:canary@h:port');
      await assert.rejects(backend.findConnection('bad'), (error) => error instanceof AppError && error.code === 'secret_unreadable' && /connection bad .*port/.test(error.message) && !error.message.includes('canary'));
    }));

    it('names lead nowhere else', () => withBackend(async ({ backend, put }) => {
      put('variables', 'a', 'x');
      for (const id of ['../variables/a', '..', '.', '', '/etc/passwd', 'a/../a', 'a\u0000', '../../secret']) assert.equal(await backend.findVariable(id), null, id);
    }));
  });
}
