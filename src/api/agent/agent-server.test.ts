// What an agent is answered when the database refuses its report: asking again must not go on for a day.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AttemptService } from '#contract/attempt.ts';
import { createReporter } from '#platform/report.ts';
import { parseConnectionRequest, parseReport, parseVariableRequest } from './agent-messages.ts';
import { startAgentServer } from './agent-server.ts';

const REPORT = { execution_id: '0190a0a0-0000-7000-8000-000000000001', outcome: 'success', started_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01T00:00:00Z' };

function post(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: '/agent/v1/report', method: 'POST' }, (response) => void response.resume().on('end', () => resolve(response.statusCode ?? 0)));
    call.on('error', reject);
    call.end(JSON.stringify(REPORT));
  });
}

test('a report that the database refuses for what is in it is not asked for again, whatever else fails is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-agent-'));
  let code = '';
  const service = { report: () => Promise.reject(Object.assign(new Error('no'), { code })) } as unknown as AttemptService;
  const server = await startAgentServer(join(folder, 'agent.sock'), service, { reporter: createReporter('error', () => undefined) });
  try {
    const answers: Record<string, number> = {};
    for (code of ['22P02', '23514', '54000', '42501', '42703', '40001', '57014', '08006', 'ECONNRESET']) answers[code] = await post(join(folder, 'agent.sock'));
    assert.deepEqual(answers, { '22P02': 422, 23514: 422, 54000: 422, 42501: 503, 42703: 503, 40001: 503, 57014: 503, '08006': 503, ECONNRESET: 503 });
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what agents ask about variables and connections is checked at the edge', () => {
  const id = REPORT.execution_id;
  assert.deepEqual(parseVariableRequest({ execution_id: id, op: 'set', key: 'k', value: 'v' }), { executionId: id, request: { op: 'set', key: 'k', value: 'v', description: null } });
  assert.deepEqual(parseVariableRequest({ execution_id: id, op: 'delete', key: 'k' }).request, { op: 'delete', key: 'k' });
  assert.deepEqual(parseConnectionRequest({ execution_id: id, conn_id: 'c/d' }), { executionId: id, connId: 'c/d' });
  const wrong = [{ op: 'get', key: '' }, { op: 'get', key: 'x'.repeat(251) }, { op: 'get', key: 'a\0' }, { op: 'get', key: 5 }, { op: 'list', key: 'k' }, { op: 'set', key: 'k', value: 5 }, { op: 'set', key: 'k', value: '\ud800' }];
  for (const fields of wrong) assert.throws(() => parseVariableRequest({ execution_id: id, ...fields }), /the agent sent/);
  assert.throws(() => parseVariableRequest({ execution_id: 'x', op: 'get', key: 'k' }), /no execution id/);
  assert.throws(() => parseConnectionRequest({ execution_id: id }), /the id of a connection/);
});

test('what a task defers to, and the assets that it updated, are taken as they are, or refused', () => {
  const deferral = { classpath: 'm.T', kwargs: '{"n": 12345678901234567890}', timeout_seconds: 1.5, next_method: 'go', next_kwargs: '{"a": 1.0}' };
  const deferred = (more: object): unknown => ({ ...REPORT, outcome: 'deferred', deferral: { ...deferral, ...more } });
  assert.deepEqual(parseReport(deferred({})).deferral, deferral);
  assert.equal(parseReport(deferred({ timeout_seconds: null, queue: 'q' })).deferral?.queue, 'q');
  for (const more of [{ classpath: '' }, { classpath: 'x'.repeat(1001) }, { kwargs: {} }, { kwargs: '{' }, { kwargs: `"${'x'.repeat(5_000_000)}"` }, { next_kwargs: '[]' }, { next_kwargs: '\ud800' }, { timeout_seconds: 'soon' }, { next_method: 5 }, { queue: '' }]) {
    assert.throws(() => parseReport(deferred(more)), /the agent sent/, JSON.stringify(more).slice(0, 60));
  }
  const assets = (...events: object[]): unknown => ({ ...REPORT, asset_events: events });
  assert.deepEqual(parseReport(assets({ name: 'n', uri: 'u', extra: { a: ['x\u0000'] }, alias: 'l', junk: 1 })).asset_events, [{ name: 'n', uri: 'u', extra: { a: ['x\uFFFD'] }, alias: 'l' }]);
  for (const events of [[{ name: 'n' }], [{ name: 'n', uri: '' }], [{ name: 'n', uri: 'u', alias: 5 }], Array.from({ length: 1001 }, () => ({ name: 'n', uri: 'u' }))]) assert.throws(() => parseReport(assets(...events)), /the agent sent/);
  for (const outcome of ['removed', 'upstream_failed']) assert.equal(parseReport({ ...REPORT, outcome }).outcome, outcome);
});
