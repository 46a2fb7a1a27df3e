// What leoflow.yaml refuses is refused before anybody is asked.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Secrets } from '#contract/secrets.ts';
import { AppError } from '#contract/errors.ts';
import { dagOf } from '../../test/support/rows.ts';
import { findConnection, useVariable } from './secret-access.ts';

const asked: string[] = [];
const secrets: Secrets = {
  findVariable: (key) => Promise.resolve(asked.push(`get ${key}`) > 0 ? 'v' : null),
  setVariable: ({ key }) => Promise.resolve(void asked.push(`set ${key}`)),
  deleteVariable: (key) => Promise.resolve(asked.push(`delete ${key}`) > 0),
  findConnection: (id) => Promise.resolve(asked.push(`conn ${id}`) > 0 ? null : null),
};

it('without a word in leoflow.yaml all are allowed; with one, others are refused before anybody is asked', async () => {
  const open = dagOf('open', []);
  await useVariable(secrets, open, { op: 'get', key: 'x' });
  const closed = { ...open, access: { variables: ['my_*'], connections: [] } };
  assert.equal(await useVariable(secrets, closed, { op: 'get', key: 'my_x' }), 'v');
  assert.equal(await useVariable(secrets, closed, { op: 'set', key: 'my_x', value: '1', description: null }), null);
  assert.equal(await useVariable(secrets, closed, { op: 'delete', key: 'my_x' }), null);
  const before = asked.length;
  const refused = (kind: string) => (error: unknown) => error instanceof AppError && error.code === 'forbidden' && error.message.includes(`${kind} in its leoflow.yaml`);
  await assert.rejects(useVariable(secrets, closed, { op: 'delete', key: 'x' }), refused('variables'));
  await assert.rejects(findConnection(secrets, closed, 'db'), refused('connections'));
  assert.equal(asked.length, before);
  assert.deepEqual(asked, ['get x', 'get my_x', 'set my_x', 'delete my_x']);
});
