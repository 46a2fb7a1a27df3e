// Files of variables and connections: Airflow's own forms are read, what is written is read again as it was, and mistakes are named without showing a value.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { FILE_FORMATS, formatOf, readConnections, readVariables, renderConnectionsFile, renderVariablesFile } from './secret-files.ts';

it('reads variables in every form of Airflow’s', () => {
  assert.deepEqual(readVariables('{"a": "x", "b": {"n": 1}, "c": {"value": [1], "description": "d"}, "e": 5, "f": true}', 'json', 'v.json'), [
    { key: 'a', value: 'x', description: null }, { key: 'b', value: '{"n":1}', description: null }, { key: 'c', value: '[1]', description: 'd' }, { key: 'e', value: '5', description: null }, { key: 'f', value: 'true', description: null },
  ]);
  assert.deepEqual(readVariables('# c\n\nA=x=y\nB= z \n', 'env', 'v.env').map(({ key, value }) => [key, value]), [['A', 'x=y'], ['B', ' z ']]);
});

it('what is written is read again as it was', () => {
  const variables = ['plain', '5', '5.0', '{"a": 1}', '{"a":1}', '"quoted"', 'null', 'a: b', '#x'].map((value, index) => ({ key: `k${index}`, value, description: index === 1 ? 'd' : null }));
  for (const format of FILE_FORMATS) {
    const again = readVariables(renderVariablesFile(variables, format), format, 'f');
    assert.deepEqual(again, format === 'env' ? variables.map((one) => ({ ...one, description: null })) : variables, format);
  }
  const base: ConnectionValue = { conn_id: 'c', conn_type: 'postgres', description: null, host: 'h', login: 'u', password: 'p/@: %é', schema: 's', port: 5, extra: null };
  const connections: ConnectionValue[] = [
    base, { ...base, conn_id: 'described', description: 'd' }, { ...base, conn_id: 'flat', extra: '{"a": "b c"}' }, { ...base, conn_id: 'number', extra: '{"a": "1"}' }, { ...base, conn_id: 'nested', extra: '{"a": {"b": [1]}}' },
    { ...base, conn_id: 'socket', host: '/var/run/Pg' }, { ...base, conn_id: 'protocol', conn_type: 'http', host: 'https://h', port: null }, { ...base, conn_id: 'v6', host: '::1' },
  ];
  for (const format of FILE_FORMATS) {
    const again = readConnections(renderConnectionsFile(connections, format), format, 'f');
    assert.deepEqual(again.map((one) => ({ ...one, extra: one.extra === null ? null : (JSON.parse(one.extra) as unknown) })), connections.map((one) => ({ ...one, extra: one.extra === null ? null : (JSON.parse(one.extra) as unknown) })), format);
  }
  assert.throws(() => renderVariablesFile([{ key: 'k', value: 'a\nb', description: null }], 'env'), /several lines/);
});

it('reads connections in every form of Airflow’s', () => {
  const text = 'a: mysql://u:p@h:1/s\nb:\n  conn_type: my-type\n  extra_dejson: {x: 1}\nc: ["http://h"]\n';
  assert.deepEqual(readConnections(text, 'yaml', 'c.yaml').map(({ conn_id, conn_type, extra }) => [conn_id, conn_type, extra]), [['a', 'mysql', null], ['b', 'my_type', '{"x": 1}'], ['c', 'http', null]]);
});

it('names every mistake and shows no value', () => {
  const attempts = [
    () => readConnections('{"a": "http://u:canary@h:x", "b": {"passwd": "canary"}, "c": 5, "d": "canary"}', 'json', 'f.json'), () => readVariables('A=1\ncanary\nA=canary\n', 'env', 'f.env'),
    () => readVariables('{"a": "canary"', 'json', 'f.json'), () => readConnections('a: [canary', 'yaml', 'f.yaml'), () => readVariables('["canary"]', 'json', 'f.json'), () => formatOf('f.txt', undefined),
  ];
  const messages = attempts.map((attempt) => {
    try {
      attempt();
      return assert.fail('it was taken');
    } catch (error) {
      return error instanceof AppError ? error.message : String(error);
    }
  });
  assert.ok(messages.every((message) => !message.includes('canary')), messages.join('\n'));
  assert.match(messages[0] ?? '', /the connection a: its port[^]*the connection b: passwd is no field[^]*the connection c: it is neither[^]*the connection d: it has no conn_type/);
  assert.match(messages[1] ?? '', /f\.env:2: expected NAME=VALUE\nf\.env:3: A stands here for the second time/);
});
