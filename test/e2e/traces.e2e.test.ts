// One trace from the trigger to user code: real servers, real tasks, and a collector that writes down what it gets.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { spanIdOf, traceIdOf } from '#core/trace-ids.ts';
import { ServersUnderTest } from '../support/servers.ts';

interface Span {
  readonly traceId: string; readonly spanId: string; readonly parentSpanId?: string; readonly name: string; readonly startTimeUnixNano: string; readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

const spans: Span[] = [];
let services: unknown[] = [];
let collector: Server;
let endpoint = '';

before(async () => {
  collector = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk)).on('end', () => {
      if (request.url === '/v1/traces') for (const sent of (JSON.parse(text) as { resourceSpans: { resource: { attributes: unknown[] }; scopeSpans: { spans: Span[] }[] }[] }).resourceSpans) {
        services = sent.resource.attributes;
        spans.push(...sent.scopeSpans.flatMap((scope) => scope.spans));
      }
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
after(() => new Promise((resolve) => {
  collector.close(resolve);
  collector.closeAllConnections();
}));

const TWO = `
    @task
    def first():
        mark("first", os.environ["TRACEPARENT"])
        return 1
    @task
    def second(value):
        mark("second", os.environ["TRACEPARENT"])
        wait("go")
    second(first())
`;

const named = (name: string): Span[] => spans.filter((span) => span.name === name);
const valueOf = (span: Span, key: string): unknown => Object.values(span.attributes.find((one) => one.key === key)?.value ?? {})[0];

const CLOCKS_NS = 250_000_000n;

/** Every span lies in one trace, below one that is there, and within its time. */
function assertTree(run: string): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  assert.equal(byId.size, spans.length, 'no span twice');
  for (const span of spans) {
    assert.equal(span.traceId, traceIdOf(run as Parameters<typeof traceIdOf>[0]));
    if (span.name === 'd') continue;
    const parent = byId.get(span.parentSpanId ?? '');
    assert.ok(parent !== undefined, `${span.name} has its parent`);
    // Tasks read this machine's clock, the engine the database's: they differ by what a reading of it takes.
    assert.ok(BigInt(parent.endTimeUnixNano) + CLOCKS_NS >= BigInt(span.endTimeUnixNano), `${span.name} ends within ${parent.name}`);
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  }
}

test('run, tries, executions and user code are one tree, and user code knows its place', async () => {
  await using scene = await ServersUnderTest.open();
  spans.length = 0;
  scene.mark('go');
  await scene.start({ LEOFLOW_OTLP_ENDPOINT: `${endpoint}/`, LEOFLOW_OTLP_SERVICE_NAME: 'nightly' });
  const run = await scene.trigger(TWO);
  await scene.untilRun(run, 'success');
  await scene.until(() => Promise.resolve(named('d').length === 1), 'the run’s span');
  assertTree(run);
  assert.deepEqual(spans.map((span) => span.name).sort(), ['d', 'execution', 'execution', 'first', 'launch', 'launch', 'record', 'record', 'second', 'user code', 'user code']);
  const [root] = named('d');
  assert.ok(root !== undefined);
  assert.deepEqual(['dag_id', 'run_type', 'state'].map((key) => valueOf(root, key)), ['d', 'manual', 'success']);
  assert.ok(JSON.stringify(services).includes('nightly'));
  for (const name of ['first', 'second']) {
    const [, trace, parent] = (await scene.untilMarked(name)).split('-');
    const own = spans.find((span) => span.spanId === parent);
    assert.deepEqual([trace, own?.name], [root.traceId, 'user code']);
    const execution = spans.find((span) => span.spanId === own?.parentSpanId);
    assert.equal(spans.find((span) => span.spanId === execution?.parentSpanId)?.name, name);
  }
});

test('a take-over in the middle leaves one consistent trace', async () => {
  await using scene = await ServersUnderTest.open();
  spans.length = 0;
  const env = { LEOFLOW_OTLP_ENDPOINT: endpoint };
  const leader = await scene.start(env);
  await scene.start(env);
  const run = await scene.trigger(TWO);
  await scene.untilMarked('second');
  // What has ended is under way to the collector within a second.
  await scene.until(() => Promise.resolve(named('first').length === 1), 'the first try’s span');
  await leader.stop('SIGKILL');
  scene.mark('go');
  await scene.untilRun(run, 'success');
  await scene.until(() => Promise.resolve(named('d').length === 1), 'the run’s span');
  assertTree(run);
  assert.equal(named('user code').length, 2);
  assert.equal(named('d')[0]?.spanId, spanIdOf('run', run));
});

test('a collector that is away costs one event, and nothing else', async () => {
  await using scene = await ServersUnderTest.open();
  scene.mark('go');
  const server = await scene.start({ LEOFLOW_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  await scene.untilRun(await scene.trigger(TWO), 'success');
  await server.until('"traces.unavailable"');
  await scene.untilRun(await scene.trigger(TWO), 'success');
  assert.equal(await server.stop(), 0);
  assert.equal(server.read().out.split('\n').filter((line) => line.includes('"traces.')).length, 1);
});
