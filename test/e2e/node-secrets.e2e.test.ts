// Secrets and facts of bodies in Node, in real processes: where variables and connections are looked up, what masking leaves alone, which callback a failure gets.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import { nodeSource, NodeVersions } from '../support/node-versions.ts';

async function runIn(nodes: NodeVersions, source: string, of: { readonly task: string; readonly spec?: Partial<ExecutionSpec> }): Promise<{ report: ExecutionReport; log: string }> {
  const started = await nodes.processes.start(await nodes.version(source), of.task, of.spec === undefined ? {} : { spec: of.spec });
  const report = await nodes.processes.report(started.id);
  await nodes.processes.exit(started.id);
  return { report, log: readFileSync(started.logFile, 'utf8') };
}

const valueOf = (report: ExecutionReport): unknown => JSON.parse(report.xcoms?.find(({ key }) => key === 'return_value')?.value ?? assert.fail(JSON.stringify(report)));

describe('secrets of bodies in Node', () => {
  it('the task’s own environment answers before the server; its secrets are masked as well', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    nodes.processes.variables.set('region', 'of the server').set('only_there', 'there');
    const source = nodeSource({ reads: `    const uri = await ctx.connection.get('by_uri');
    const json = await ctx.connection.get('by_json');
    console.log('seen', uri.password, json.password, await ctx.variable.get('api_token'));
    return [await ctx.variable.get('region'), await ctx.variable.get('only_there'), await ctx.variable.get('mine'), uri.host, uri.port, uri.extra, json.login];` });
    const env = {
      AIRFLOW_VAR_REGION: 'of the task', LEOFLOW_VAR_MINE: 'mine', AIRFLOW_VAR_API_TOKEN: 'hidden-token', AIRFLOW_CONN_BY_URI: 'postgres://u:hidden-uri@db:5432/x?sslmode=require',
      AIRFLOW_CONN_BY_JSON: '{"conn_type": "http", "login": "l", "password": "hidden-json"}',
    };
    const { report, log } = await runIn(nodes, source, { task: 'reads', spec: { env } });
    assert.deepEqual(valueOf(report), ['of the task', 'there', 'mine', 'db', 5432, { sslmode: 'require' }, 'l']);
    assert.match(log, /seen \*\*\* \*\*\* \*\*\*/);
  });

  it('a connection in the environment that cannot be read fails the task and shows nothing of it', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    const { report } = await runIn(nodes, nodeSource({ reads: "    return ctx.connection.get('bad');" }), { task: 'reads', spec: { env: { AIRFLOW_CONN_BAD: 'http://u:hidden@h:99999999/' } } });
    assert.equal(report.outcome, 'failed');
    assert.match(report.error?.message ?? '', /AIRFLOW_CONN_BAD.*port/);
    assert.doesNotMatch(JSON.stringify(report), /hidden/);
  });

  it('what is written past the streams is hidden when the task ends', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    nodes.processes.variables.set('token', 'written-past-every-stream');
    const source = nodeSource({ raw: `    const token = await ctx.variable.get('token') ?? '';
    const { writeSync } = await import('node:fs');
    writeSync(1, 'raw ' + token + ' end\\n');
    writeSync(1, Buffer.concat([Buffer.from([0xff]), Buffer.from(token + '\\n')]));
    console.log('said', token);
    return 1;` });
    const { report, log } = await runIn(nodes, source, { task: 'raw' });
    assert.equal(report.outcome, 'success');
    assert.doesNotMatch(log, /written-past/);
    assert.match(log, /^raw \*{25} end$/m);
    assert.match(log, /said \*\*\*/);
  });

  it('a secret in a line that grows too long is hidden, wherever the line is cut', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    const source = nodeSource({ prints: `    const token = await ctx.variable.get('token') ?? '';
    const print = (text: string): void => void process.stdout.write(text);
    for (const before of [65_520, 65_530, 65_536, 65_537]) {
      print('x'.repeat(before));
      print(token.slice(0, 9));
      print(token.slice(9) + '\\n');
    }
    return 1;` });
    nodes.processes.variables.set('token', 'half-of-me-is-a-secret');
    const { report, log } = await runIn(nodes, source, { task: 'prints' });
    assert.equal(report.outcome, 'success');
    assert.doesNotMatch(log, /half|secret/);
    assert.equal(log.split('***').length, 4, 'a whole line is masked before its end is dropped');
  });

  it('facts of the report stay what they are, whatever is secret', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    const words = ['success', 'followed', 'failed', 'user_error', 'message', 'Error', 'op_kwargs', 'chosen'];
    const source = `import { chain, dag, type Context } from 'leoflow';
async function learn(ctx: Pick<Context, 'variable'>): Promise<void> {
  for (const word of ${JSON.stringify(words)}) await ctx.variable.get('secret_' + word);
}
dag('d', {}, ({ task, branch }) => {
  const pick = branch('pick', async (_, ctx) => {
    await learn(ctx);
    return 'chosen';
  })();
  chain(pick, [task('chosen', () => 1)(), task('last', () => 2)()]);
  task('gives', async ({ v }: { v: string }, ctx) => { await learn(ctx); return ['', v]; })({ v: 'success' });
  task('fails', async (_, ctx) => { await learn(ctx); throw new Error('no success'); })();
});
`;
    for (const word of words) nodes.processes.variables.set(`secret_${word}`, word);
    const picked = await runIn(nodes, source, { task: 'pick' });
    assert.deepEqual([picked.report.outcome, picked.report.skips], ['success', { followed: ['chosen'] }]);
    const gave = await runIn(nodes, source, { task: 'gives' });
    assert.deepEqual([gave.report.outcome, gave.report.rendered_fields, (valueOf(gave.report) as unknown[])[1]], ['success', { op_kwargs: { v: '***' } }, 'success']);
    const { report } = await runIn(nodes, source, { task: 'fails' });
    assert.deepEqual([report.outcome, report.cause, report.error?.type, report.error?.message], ['failed', 'user_error', 'Error', 'no ***']);
  });

  it('a failed try calls on_retry_callback exactly when another follows, whatever the code says of retries', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 0 });
    const source = `import { dag } from 'leoflow';
export function retried(): void { console.log('retry called'); }
export function failed(): void { console.log('failure called'); }
const both = { on_retry_callback: 'dag.ts#retried', on_failure_callback: 'dag.ts#failed' };
dag('d', {}, ({ task }) => {
  task('plain', both, () => { throw new Error('x'); })();
  task('says_two', { ...both, retries: 2 }, () => { throw new Error('x'); })();
});
`;
    const called = async (task: string, spec: Partial<ExecutionSpec>): Promise<string> => /(retry|failure) called/.exec((await runIn(nodes, source, { task, spec })).log)?.[1] ?? 'none';
    assert.equal(await called('plain', { try_number: 1, max_tries: 1, may_retry: true }), 'retry', 'leoflow.yaml gives it a retry');
    assert.equal(await called('says_two', { try_number: 1, max_tries: 2, may_retry: false }), 'failure', 'leoflow.yaml takes them away');
  });
});
