// Which pod is asked, and why one is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pod, troubleOf, usablePods } from './pods.ts';

const pod = (name: string, more: { created?: string; phase?: string; ready?: string; containers?: string[]; deleted?: boolean } = {}): Pod => ({
  metadata: { name, creationTimestamp: more.created ?? '2026-01-01T00:00:00Z', ...(more.deleted === true ? { deletionTimestamp: '2026-01-02T00:00:00Z' } : {}) },
  spec: { containers: (more.containers ?? ['scheduler', 'scheduler-log-groomer']).map((one) => ({ name: one })) },
  status: { phase: more.phase ?? 'Running', conditions: [{ type: 'Ready', status: more.ready ?? 'True' }] },
});

test('the newest ready pod is asked first, one that went away last', () => {
  const pods = [pod('old', { created: '2025-01-01T00:00:00Z' }), pod('new', { created: '2026-02-01T00:00:00Z' }), pod('pending', { phase: 'Pending' }), pod('leaving', { deleted: true })];
  assert.deepEqual(usablePods(pods, 'scheduler').map(({ metadata }) => metadata.name), ['new', 'old']);
  assert.deepEqual(usablePods(pods, 'scheduler', new Set(['new'])).map(({ metadata }) => metadata.name), ['old', 'new']);
});

test('a pod that cannot be asked says why', () => {
  assert.equal(troubleOf(pod('a', { phase: 'Pending' }), 'scheduler'), 'is Pending');
  assert.equal(troubleOf(pod('a', { ready: 'False' }), 'scheduler'), 'is not ready');
  assert.equal(troubleOf(pod('a', { deleted: true }), 'scheduler'), 'is being deleted');
  assert.equal(troubleOf(pod('a'), 'airflow'), 'has no container airflow (it has scheduler, scheduler-log-groomer)');
  assert.equal(troubleOf({ metadata: { name: 'a' } }, 'scheduler'), 'is in no known phase');
});

test('a sidecar that is down does not hide the container that is asked', () => {
  const groomerDown: Pod = { ...pod('a', { ready: 'False' }), status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }], containerStatuses: [{ name: 'scheduler', ready: true }, { name: 'scheduler-log-groomer', ready: false }] } };
  assert.equal(troubleOf(groomerDown, 'scheduler'), null);
  assert.equal(troubleOf(groomerDown, 'scheduler-log-groomer'), 'is not ready');
});
