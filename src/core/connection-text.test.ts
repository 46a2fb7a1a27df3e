// Connections as text: against what Airflow itself makes of the same URIs, recorded in test/oracle/connections.json, and the JSON form.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { ConnectionValue } from '#contract/attempt.ts';
import { parseConnection, parseUri, renderUri } from './connection-text.ts';

interface Recorded { readonly uri: string; readonly fields?: Readonly<Record<string, unknown>>; readonly written?: string; readonly refused?: string }

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'test', 'oracle', 'connections.json'), 'utf8')) as readonly Recorded[];

function fieldsOf(connection: ConnectionValue): Record<string, unknown> {
  const { conn_type, host, login, password, schema, port, extra } = connection;
  return { conn_type, host, login, password, schema, port, extra: extra === null ? null : (JSON.parse(extra) as unknown) };
}

it('reads and writes URIs as Airflow does', () => {
  assert.ok(recorded.length > 200 && recorded.some((row) => row.refused !== undefined));
  const wrong: unknown[] = [];
  for (const { uri, fields, written } of recorded) {
    const read = parseUri('c', uri);
    const ours = read.kind === 'connection' ? fieldsOf(read.connection) : null;
    if (JSON.stringify(ours) !== JSON.stringify(fields ?? null)) wrong.push({ uri, ours: ours ?? read, theirs: fields });
    else if (read.kind === 'connection' && renderUri(read.connection) !== written) wrong.push({ uri, ours: renderUri(read.connection), theirs: written });
  }
  assert.deepEqual(wrong, []);
});

it('names the part that is wrong and shows nothing of it', () => {
  const cases: [string, RegExp][] = [
    ['mysql://u:se/cret@h', /port is no number/], ['mysql://u:secret@h:70000', /port/], ['mysql://u:secret@[::1', /host is no proper one/], ['a://b://c://secret', /more than two/],
    ['http://u:secret@https://h', /after the second/], ['a://h?__extra__=secret', /extra is no JSON object/], ['{"conn_type": "secret', /no JSON object/], ['{"passwort": "secret"}', /passwort is no field/],
    ['{"port": "secret"}', /port/], ['{"host": 5}', /host is no text/], ['{"extra": "secret"}', /extra is no JSON object/],
  ];
  for (const [text, expected] of cases) {
    const read = parseConnection('c', text);
    assert.ok(read.kind === 'refused' && expected.test(read.reason) && !/secret|se\/cret/.test(read.reason), `${text}: ${JSON.stringify(read)}`);
  }
});

it('reads the JSON form with extra as an object or a text', () => {
  for (const extra of [{ a: { b: 'é' } }, '{"a": {"b": "\\u00e9"}}']) {
    const read = parseConnection('c', JSON.stringify({ conn_type: 'my-type', host: 'h', port: '5', extra, conn_id: 'other' }));
    assert.deepEqual(read, { kind: 'connection', connection: { conn_id: 'c', conn_type: 'my_type', description: null, host: 'h', login: null, password: null, schema: null, port: 5, extra: '{"a": {"b": "\\u00e9"}}' } });
  }
});
