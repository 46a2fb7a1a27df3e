// Both kinds of servers hand over requests as they came, and send answers as they are.
import assert from 'node:assert/strict';
import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import compress from '@fastify/compress';
import Fastify from 'fastify';
import type { ExecutionAnswer, ExecutionRequest } from './execution-call.ts';
import { addExecution, answerExecution, isForExecution } from './mount.ts';
import type { ExecutionApi } from './serve-execution.ts';

interface Got { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

function send(port: number, how: { readonly method: string; readonly path: string; readonly body?: string }): Promise<Got> {
  return new Promise((resolve, reject) => {
    const call = request({ port, method: how.method, path: how.path, headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip', 'x-a': 'b' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
    });
    call.on('error', reject);
    call.end(how.body);
  });
}

/** Echoes what it is asked. `/nothing` is answered by 204, `/head` by a header. */
class Echo implements ExecutionApi {
  readonly seen: ExecutionRequest[] = [];

  handle(asked: ExecutionRequest): Promise<ExecutionAnswer> {
    this.seen.push(asked);
    if (asked.path === '/nothing') return Promise.resolve({ status: 204, headers: { 'airflow-api-version': 'v' }, body: null });
    if (asked.method === 'HEAD') return Promise.resolve({ status: 200, headers: { 'content-range': 'map_indexes 3' }, body: null });
    return Promise.resolve({ status: 201, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text: 'ä'.repeat(2000) }) });
  }
}

async function check(api: Echo, port: number): Promise<void> {
  const big = await send(port, { method: 'POST', path: '/execution/xcoms/d/r%2B1/t/a%2Fb?map_index=1&x=%20', body: '{"a": [1.0]' });
  assert.deepEqual([big.status, big.headers['content-type'], big.headers['content-encoding'], JSON.parse(big.body)], [201, 'application/json', undefined, { text: 'ä'.repeat(2000) }]);
  const [asked] = api.seen;
  assert.deepEqual([asked?.method, asked?.path, asked?.query, asked?.headers['x-a'], asked?.body.toString()], ['POST', '/xcoms/d/r%2B1/t/a%2Fb', 'map_index=1&x=%20', 'b', '{"a": [1.0]']);
  const nothing = await send(port, { method: 'DELETE', path: '/execution/nothing' });
  assert.deepEqual([nothing.status, nothing.headers['content-type'], nothing.headers['airflow-api-version'], nothing.body], [204, undefined, 'v', '']);
  const head = await send(port, { method: 'HEAD', path: '/execution/a' });
  assert.deepEqual([head.status, head.headers['content-range'], head.body], [200, 'map_indexes 3', '']);
  assert.equal((await send(port, { method: 'OPTIONS', path: '/execution/a' })).status, 201);
}

describe('mounting the Task Execution API', () => {
  test('in Fastify, beside parsers and compression of its own', async () => {
    const api = new Echo();
    const app = Fastify({ exposeHeadRoutes: false });
    await app.register(compress, { global: true, threshold: 1024 });
    addExecution(app, api, 5000);
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    try {
      await check(api, port);
      const large = await send(port, { method: 'POST', path: '/execution/a', body: 'x'.repeat(5001) });
      assert.equal(large.status, 413);
    } finally {
      await app.close();
    }
  });

  test('in a server of node:http', async () => {
    const api = new Echo();
    const server = createServer((incoming, response) => {
      assert.equal(isForExecution(incoming.url), true);
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => void answerExecution(api, { request: incoming, response, body: Buffer.concat(chunks) }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await check(api, (server.address() as AddressInfo).port);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('other paths are not its', () => {
    for (const url of ['/agent/v1/park', '/execution', '/executions/a', undefined]) assert.equal(isForExecution(url), false);
  });
});
