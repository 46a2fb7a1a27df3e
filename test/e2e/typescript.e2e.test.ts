// A dag.ts from its text to a finished run on a real engine: compiled, registered, run in Node processes with XComs, logs, retries, mapping and branches.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { renderProblem } from '#compile/compiled.ts';
import { compilePython } from '#compile/from-python.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';
import { compileFiles } from '../support/node-versions.ts';

const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

function file(name: string, text: string): string {
  const path = join(files.path, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

interface Ran { readonly state: string; readonly task_instances: readonly { readonly taskId: string; readonly mapIndex: number; readonly state: string; readonly tryNumber: number }[] }

const PIPELINE = `import { existsSync, writeFileSync } from 'node:fs';
import { bash, chain, dag, group, task } from 'leoflow';
import { scale } from './lib/scale.ts';

const extract = task('extract', async (_, ctx) => {
  console.log('extracting');
  await ctx.variable.set('seen', 'yes');
  return [1, 2, 3];
});
const scaled = task('scaled', ({ n, by }: { n: number; by: number }, ctx) => {
  ctx.log.info('scaling ' + n);
  return scale(n, by);
});
export function plusOne(n: number): number { return n + 1; }

export const pipeline = dag('pipeline', { params: { mark: { type: 'string', default: '' } } }, ({ task, branch, sensor, shortCircuit }) => {
  const numbers = extract();
  const all = scaled.partial({ by: 10 }).expand({ n: numbers.map(plusOne) });
  const total = task('total', async ({ all }: { all: number[] }, ctx) => {
    const again = await ctx.xcom.pull('extract');
    return { sum: all.reduce((a, b) => a + b, 0), again, seen: await ctx.variable.get('seen') };
  })({ all });
  const flaky = task('flaky', { retries: 2, retry_delay: 0 }, (_, ctx) => {
    if (ctx.try_number < 2) throw new Error('not yet');
    return ctx.try_number;
  })();
  const pick = branch('pick', () => 'left')();
  chain([total, flaky], pick, [task('left', () => 'L')(), task('right', () => 'R')()]);
  chain(shortCircuit('gate', () => '')(), bash('gated', 'echo never'));
  const crash = task('crash', (_, ctx) => {
    if (!existsSync(ctx.params.mark)) {
      writeFileSync(ctx.params.mark, '1');
      process.kill(process.pid, 'SIGKILL');
    }
    return 'alive';
  })();
  crash.after(sensor('looks', { mode: 'reschedule', poke_interval: 0, timeout: 60 }, (_, ctx) => ctx.try_number > 0)());
  group('each', { expand: { x: [5, 6] } }, ({ x }) => {
    const one = scaled.override({ task_id: 'one' })({ n: x, by: 1 });
    task('two', ({ n }: { n: number }) => n + 0.5)({ n: one });
  });
});
`;

describe('a run', () => {
  it('values flow, a killed process is started again, what fails is tried again, what is not chosen is skipped', async () => {
    file('lib/scale.ts', 'export function scale(n: number, by: number): number { return n * by; }\n');
    const path = file('pipeline.ts', PIPELINE);
    const done = await leoflow(home.path, ['run', path, '--json', '--conf', JSON.stringify({ mark: join(files.path, 'mark') })]);
    assert.equal(done.code, 0, done.err);
    const ran = JSON.parse(done.out) as Ran & { xcoms?: unknown };
    const states = Object.fromEntries(ran.task_instances.map(({ taskId, mapIndex, state, tryNumber }) => [mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`, `${state} ${tryNumber}`]));
    assert.deepEqual(states, {
      extract: 'success 1', 'scaled[0]': 'success 1', 'scaled[1]': 'success 1', 'scaled[2]': 'success 1', total: 'success 1', flaky: 'success 2', pick: 'success 1', left: 'success 1', right: 'skipped 0',
      gate: 'success 1', gated: 'skipped 0', crash: 'success 1', looks: 'success 1', 'each.one[0]': 'success 1', 'each.one[1]': 'success 1', 'each.two[0]': 'success 1', 'each.two[1]': 'success 1',
    });
    assert.match(done.out, /\{\\?"sum\\?":90,\\?"again\\?":\[1,2,3\],\\?"seen\\?":\\?"yes\\?"\}|"sum": ?90/);
  });
});

describe('what is wrong with a file', () => {
  const problemsOf = async (text: string, more: Readonly<Record<string, string>> = {}): Promise<string[]> => (await compileFiles({ 'dag.ts': text, ...more })).problems.map(renderProblem);

  it('mistakes of the drawing, all of them, with the place of the call', async () => {
    const problems = await problemsOf("import { dag, task } from 'leoflow';\nconst one = task('one', ({ v }: { v?: unknown }) => v);\nconst local = (n: number): number => n;\ndag('d', {}, () => {\n  one();\n  task('one', () => 2)();\n  one({ v: one().map(local as never) });\n  one().after(task('nobody', () => 1) as never);\n});\n");
    assert.equal(problems.length, 3, problems.join('\n'));
    assert.match(problems[0] ?? '', /^dag\.ts:6:\d+: the id one is drawn twice in d: first in line 5/);
    assert.match(problems[1] ?? '', /^dag\.ts:8:\d+: after\(…\) and before\(…\) take outputs.*\n {2}→ Call the task first/);
    assert.match(problems[2] ?? '', /values are mapped through local, which dag\.ts does not export/);
  });

  it('what only the compiler of drawings knows, with the place of the task', async () => {
    const [problem, ...others] = await problemsOf("import { chain, dag, task } from 'leoflow';\ndag('d', {}, () => {\n  const a = task('a', () => 1)();\n  const b = task('b', { retries: -1 }, () => 2)();\n  chain(a, b);\n});\n");
    assert.match(problem ?? '', /^dag\.ts:4:\d+: /);
    assert.deepEqual(others, []);
    assert.match((await problemsOf("import { chain, dag, task } from 'leoflow';\ndag('d', {}, () => {\n  const a = task('a', () => 1)();\n  const b = task('b', () => 2)();\n  chain(a, b, a);\n});\n")).join('\n'), /^dag\.ts:3:\d+: .*wait for each other: a → b → a/);
  });

  it('a file that does not import, with the place where', async () => {
    assert.match((await problemsOf("import { dag } from 'leoflow';\nfunction deep(): never { throw new RangeError('too far'); }\ndag('d', {}, () => deep());\n")).join('\n'), /^dag\.ts:2:32: RangeError: too far$/);
    assert.match((await problemsOf("// @ts-nocheck\nimport { gone } from './gone.ts';\ngone();\n")).join('\n'), /Cannot find module.*gone\.ts/);
    assert.match((await problemsOf("import { dag } from 'leoflow';\nprocess.exit(3);\ndag('d', {}, () => undefined);\n")).join('\n'), /process\.exit\(3\)/);
    assert.match((await problemsOf("import { dag } from 'leoflow';\ndag('d', {}, () => undefined);\nawait new Promise(() => undefined);\n")).join('\n'), /an await at the top of the file waits for a promise that nothing can settle/);
    assert.match((await problemsOf("const a: number = 'x';\nthrow new Error(String(a));\n")).join('\n'), /^dag\.ts:1:7: TS2322/, 'what does not compile is told once');
  });

  it('local modules travel with the version, and what the file prints is no answer', async () => {
    const compiled = await compileFiles({ 'dag.ts': "import { dag, task } from 'leoflow';\nimport { helper } from './lib/helper.ts';\nconsole.log('{\"dags\": []}');\ndag('d', {}, () => void task('t', helper)());\n", 'lib/helper.ts': "import { one } from './one.ts';\nexport function helper(): number { return one; }\n", 'lib/one.ts': 'export const one = 1;\n' });
    assert.deepEqual(compiled.problems, []);
    assert.deepEqual(compiled.dags[0]?.dag.sources.map(({ path }) => path), ['dag.ts', 'lib/helper.ts', 'lib/one.ts', 'dag.ts.json']);
    assert.deepEqual(compiled.dags[0]?.sources.map(({ path }) => path), ['dag.ts', 'lib/helper.ts', 'lib/one.ts', 'dag.ts.json']);
  });
});

describe('the guide', () => {
  it('every example of it compiles', async () => {
    const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'guides', 'typescript.md'), 'utf8');
    const examples = [...guide.matchAll(/```ts\n([^]*?)```/g)].map(([, code = '']) => code);
    assert.equal(examples.length, 4);
    for (const code of examples) {
      const { dags, problems } = await compileFiles({ 'dag.ts': code });
      assert.deepEqual([dags.length, problems.map(renderProblem)], [1, []], code);
    }
  });
});

describe('the same DAG in two languages', () => {
  it('gives the same dag.json but for what runs the tasks', async () => {
    const python = `from airflow.sdk import dag, task, task_group, chain
@dag(schedule="@daily", start_date=__import__("datetime").datetime(2026, 1, 1), tags=["a"], params={"day": "x"}, default_args={"retries": 1})
def same():
    @task
    def extract(): return [1]
    @task(retries=3, pool="p")
    def scale(n, by): return n * by
    @task
    def total(all): return 1
    @task.branch
    def pick(total): return "left"
    @task
    def left(): return 1
    @task(trigger_rule="none_failed")
    def right(): return 1
    t = total(scale.partial(by=2).expand(n=extract()))
    p = pick(t)
    chain(p, [left(), right()])
    @task_group
    def g():
        a = scale(1, 2)
        a >> scale(3, 4)
    p >> g()
same()
`;
    const typescript = `import { chain, dag, group, task } from 'leoflow';
const extract = task('extract', () => [1]);
const scale = task('scale', { retries: 3, pool: 'p' }, ({ n, by }: { n: number; by: number }) => n * by);
const total = task('total', ({ all }: { all: number[] }) => all.length);
dag('same', { schedule: '@daily', start_date: '2026-01-01', tags: ['a'], params: { day: 'x' }, default_args: { retries: 1 } }, ({ branch }) => {
  const t = total({ all: scale.partial({ by: 2 }).expand({ n: extract() }) });
  const p = branch('pick', (_: { total: number }) => 'left')({ total: t });
  chain(p, [task('left', () => 1)(), task('right', { trigger_rule: 'none_failed' }, () => 1)()]);
  group('g', () => {
    const a = scale({ n: 1, by: 2 });
    scale({ n: 3, by: 4 }).after(a);
  }).after(p);
});
`;
    const root = dirname(file('same/dag.py', python));
    const inPython = await compilePython({ root, file: 'dag.py', python: 'python3', ...BARE_REQUEST });
    const inTypeScript = await compileFiles({ 'dag.ts': typescript });
    assert.deepEqual([...inPython.problems, ...inTypeScript.problems].map(renderProblem), []);
    const [first, second] = [inPython, inTypeScript].map(({ dags }) => {
      const { sources: _, fileloc: __, runtime: ____, tasks, ...rest } = dags[0]?.dag ?? assert.fail();
      return JSON.stringify({ ...rest, tasks: tasks.map(({ body: ___, ...task }) => task) }, null, 1);
    });
    assert.equal(second, first);
  });
});
