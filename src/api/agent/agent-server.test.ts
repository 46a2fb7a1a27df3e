// What an agent is answered when the database refuses its report: asking again must not go on for a day.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AttemptService } from '#contract/attempt.ts';
import { createReporter } from '#platform/report.ts';
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
  const server = await startAgentServer(join(folder, 'agent.sock'), service, createReporter('error', () => undefined));
  try {
    const answers: Record<string, number> = {};
    for (code of ['22P02', '23514', '54000', '42501', '42703', '40001', '57014', '08006', 'ECONNRESET']) answers[code] = await post(join(folder, 'agent.sock'));
    assert.deepEqual(answers, { '22P02': 422, 23514: 422, 54000: 422, 42501: 503, 42703: 503, 40001: 503, 57014: 503, '08006': 503, ECONNRESET: 503 });
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
