// Tests of the DAG, without a server: `leoflow node --test`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDag, runTask } from 'leoflow/testing';
import { orders } from '../dags/orders.ts';

test('one task', async () => {
  const { outcome, result } = await runTask(orders, 'add_up', { inputs: { shop: { shop: 'north', orders: [1, 2] } } });
  assert.deepEqual([outcome, result], ['success', 3]);
});

test('the report', async () => {
  const { result } = await runTask(orders, 'report', { xcoms: { add_up: [3, 4] } });
  assert.equal(result, '7 orders of 2 shops');
});
