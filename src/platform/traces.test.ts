// The exporter beside the work: what a collector gets, and what happens when there is none.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import type { Event } from '#contract/events.ts';
import type { AttemptId, ExecutionId, RunUuid } from '#contract/ids.ts';
import type { ExecutionSpan } from '#contract/spans.ts';
import { createReporter } from './report.ts';
import { openTraces, type Traces } from './traces.ts';

interface Sent { readonly name: string; readonly startTimeUnixNano: string; readonly endTimeUnixNano: string; readonly status: { readonly code: number }; readonly parentSpanId?: string }

const sent: Sent[] = [];
let status = 200;
let received: () => void = () => undefined;
let collector: Server;

before(() => new Promise<void>((resolve) => {
  collector = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk)).on('end', () => {
      if (status === 200) for (const { scopeSpans } of (JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: Sent[] }[] }[] }).resourceSpans) for (const { spans } of scopeSpans) sent.push(...spans);
      response.writeHead(status, { 'Content-Type': 'application/json' }).end('{}', () => received());
    });
  }).listen(0, '127.0.0.1', resolve);
}));
after(() => new Promise((resolve) => {
  collector.close(resolve);
  collector.closeAllConnections();
}));

async function opened(): Promise<{ traces: Traces; events: Event[] }> {
  const reporter = createReporter('error', () => undefined);
  const events: Event[] = [];
  reporter.listen((event) => events.push(event));
  return { events, traces: await openTraces({ endpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`, serviceName: 's', version: '1', reporter }) };
}

const RUN = '019a0f2c-7b1e-7c3d-8e4f-0123456789ab' as RunUuid;
const FAILED: ExecutionSpan = {
  kind: 'execution', run: RUN, attemptId: 'a' as AttemptId, executionId: 'e' as ExecutionId, state: 'failed', cause: 'user_error', startMs: 1_000_000_000_000.5, endMs: 1_000_000_000_010,
  userCode: { startMs: 1_000_000_000_000, endMs: 1_000_000_000_008 }, reportedMs: 1_000_000_000_009,
};

test('an execution is sent with its parts; a clock that differs makes none of them negative', async () => {
  const { traces } = await opened();
  traces.onSpan(FAILED);
  await traces.close();
  assert.deepEqual(sent.map((span) => [span.name, span.status.code]), [['execution', 2], ['launch', 0], ['user code', 2], ['record', 0]]);
  for (const span of sent) assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), span.name);
  assert.equal(sent[0]?.startTimeUnixNano, '1000000000000500000');
});

test('a collector that refuses is told of once, what waits is bounded, and its return is told as well', async () => {
  const { traces, events } = await opened();
  status = 400;
  for (let count = 0; count < LIMITS.maxQueuedSpans; count += 1) traces.onSpan(FAILED);
  const refused = new Promise<void>((resolve) => void (received = resolve));
  await refused;
  status = 200;
  await traces.close();
  assert.deepEqual(events.map((event) => event.event), ['traces.unavailable', 'traces.available']);
  assert.ok(sent.length < LIMITS.maxQueuedSpans + 10, 'four spans each were made, one queue of them was kept');
});

test('an endpoint that is no URL is refused', async () => {
  await assert.rejects(openTraces({ endpoint: 'localhost:4318', serviceName: 's', version: '1', reporter: createReporter('error', () => undefined) }), /LEOFLOW_OTLP_ENDPOINT/);
});
