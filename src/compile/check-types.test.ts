// The types of a dag.ts as its author meets them: what fits compiles, what does not is refused where it stands.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Drawing } from '#contract/drawing.ts';
import { checkTypes, parseDiagnostics } from './check-types.ts';
import { type CompileProblem, renderProblem } from './compiled.ts';
import { BARE_REQUEST } from '../../test/support/compile-request.ts';

async function check(text: string, more: Readonly<Record<string, string>> = {}): Promise<CompileProblem[]> {
  const root = mkdtempSync(join(tmpdir(), 'lf-types-'));
  try {
    for (const [path, content] of Object.entries({ 'dag.ts': text, ...more })) writeFileSync(join(root, path), content);
    return await checkTypes({ root, file: 'dag.ts', python: '', ...BARE_REQUEST });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const FITS = `import { bash, chain, dag, group, task, type Context, type Output } from 'leoflow';
interface Row { id: number; at: string }
const extract = task('extract', async () => [{ id: 1, at: new Date(), drop: undefined, call: () => 1 }]);
const load = task('load', ({ rows }: { rows: Row[]; mode?: string }, ctx) => { ctx.log.info(ctx.ds ?? ''); return { count: rows.length, big: 1n }; });
const each = task('each', ({ row, n }: { row: Row; n: number }, _ctx: Context) => row.id + n);
export function idOf(row: Row): number { return row.id; }
export const d = dag('d', { params: { day: { type: 'string' }, n: 3, tags: { type: 'array', items: { type: 'integer' } }, mode: { enum: ['a', 'b'] } } }, ({ task }) => {
  const rows = extract();
  const mapped: Output<number[]> = each.partial({ n: 1 }).expand({ row: rows });
  each.expand({ row: rows, n: [1, 2] });
  each.expandRows([{ row: { id: 1, at: '' }, n: 2 }]);
  load({ rows });
  load({ rows: [{ id: 1, at: '' }], mode: 'x' }).after(rows, bash('b', 'ls'));
  const ids: Output<number[]> = rows.map(idOf);
  const pairs: Output<[number, { id: number; at: string }][]> = ids.zip(rows);
  const g = group('g', { tooltip: 'per id', expand: { x: ids } }, ({ x }) => { const one: Output<number> = x; return each({ n: one, row: { id: 1, at: '' } }); });
  const collected: Output<number[]> = g.result;
  chain(g, [rows, pairs], collected, mapped);
  task('params', (_, ctx) => { const day: string = ctx.params.day; const n: number = ctx.params.n; const tags: number[] = ctx.params.tags; const mode: 'a' | 'b' = ctx.params.mode; return [day, n, tags, mode]; })();
});
`;
const REFUSED = `import { dag, group, task } from 'leoflow';
const text = task('text', () => 'x');
const date = task('date', () => ({ at: new Date() }));
const big = task('big', () => 1n);
const needs = task('needs', ({ n }: { n: number }) => n);
const wantsDate = task('wantsDate', ({ d }: { d: { at: Date } }) => d.at.getTime());
dag('d', { params: { day: { type: 'string' } } }, ({ task }) => {
  // @ts-expect-error a text is no number
  needs({ n: text() });
  // @ts-expect-error an argument is missing
  needs();
  // @ts-expect-error no such argument
  needs({ n: 1, m: 2 });
  // @ts-expect-error after JSON a Date is a text
  wantsDate({ d: date() });
  // @ts-expect-error a bigint has no JSON form
  needs({ n: big() });
  // @ts-expect-error one of a list, not the list
  needs({ n: needs.expand({ n: [1, 2] }) });
  // @ts-expect-error a text cannot be mapped over
  needs.expand({ n: text() });
  // @ts-expect-error a definition is no output
  needs({ n: needs });
  // @ts-expect-error an option that no task has
  task('x', { retrys: 2 }, () => 1);
  // @ts-expect-error a param that the DAG has not
  task('y', (_, ctx) => ctx.params.night);
  // @ts-expect-error a rule that Airflow has not
  task('z', { trigger_rule: 'all_sucess' }, () => 1);
  // @ts-expect-error what a mapped group gives is a list
  needs({ n: group('g', { expand: { x: [1] } }, ({ x }) => needs({ n: x })).result });
});
`;

describe('types of a dag.ts', () => {
  it('results flow into arguments in the form that JSON gives them', async () => {
    assert.deepEqual(await check(FITS), []);
  });

  it('what does not fit is refused', async () => {
    assert.deepEqual((await check(REFUSED)).map(renderProblem), []);
  });

  it('a mismatch is shown as an editor shows it', async () => {
    const [problem, ...others] = await check("import { dag, task } from 'leoflow';\nconst text = task('text', () => 'x');\nconst load = task('load', ({ rows }: { rows: number[] }) => rows);\ndag('d', {}, () => {\n  load({ rows: text() });\n});\n");
    assert.deepEqual(others, []);
    const shown = renderProblem(problem ?? assert.fail());
    assert.match(shown, /^dag\.ts:5:10: TS2322: Type 'Output<string>' is not assignable to type 'Given<number\[\]>'\.\n {2}Type 'Output<string>' is not assignable to type 'Output<number\[\]>'\.\n {4}Type 'string' is not assignable to type 'number\[\]'\.\n\n5 {3}load\(\{ rows: text\(\) \}\);\n {11}~~~~\n/);
  });

  it('every argument that dag.yaml knows of a task is known here', async () => {
    const bodies = (Object.values(Drawing.properties.tasks.patternProperties)[0] as unknown as { anyOf: { properties: Record<string, unknown> }[] }).anyOf;
    const known = Object.keys(bodies.find(({ properties }) => 'node' in properties)?.properties ?? {});
    const drawn = new Set(['node', 'decorator', 'with', 'after', 'expand', 'expand_rows']);
    const ofSensors = ['mode', 'poke_interval', 'timeout', 'soft_fail', 'exponential_backoff', 'max_wait', 'silent_fail', 'never_fail'];
    // Of @task.bash, of templates (which Python renders), and of the line that Python logs of a result.
    const ofPython = ['append_env', 'cwd', 'templates_dict', 'show_return_value_in_logs'];
    const ofGates = ['ignore_downstream_trigger_rules'];
    const options = (names: readonly string[]): string => `{ ${names.map((name) => `${name}: none`).join(', ')} }`;
    const plain = known.filter((name) => !drawn.has(name) && ![...ofSensors, ...ofGates, ...ofPython].includes(name));
    assert.ok(plain.length > 30);
    const dagKeys = Object.keys(Drawing.properties).filter((name) => name !== 'dag_id' && name !== 'tasks');
    assert.deepEqual(await check(`import { dag, sensor, shortCircuit, task } from 'leoflow';\ndeclare const none: never;\ntask('a', ${options(plain)}, () => 1);\nsensor('b', ${options([...plain, ...ofSensors])}, () => true);\nshortCircuit('c', ${options([...plain, ...ofGates])}, () => true);\ndag('d', ${options(dagKeys)}, () => undefined);\n`), []);
  });

  it('the project’s own settings hold; errors outside the project are nobody’s here', async () => {
    const text = "import { dag } from 'leoflow';\nexport function f(a: number): number { return 1; }\ndag('d', {}, () => undefined);\n";
    assert.deepEqual(await check(text), []);
    const [problem] = await check(text, { 'tsconfig.json': '{ "compilerOptions": { "strict": true, "noUnusedParameters": true, "module": "nodenext", "types": ["node"] } }', 'package.json': '{"type": "module"}' });
    assert.match(problem?.message ?? '', /TS6133: 'a' is declared but its value is never read/);
  });

  it('blocks without an excerpt, and the summary, are told apart', () => {
    assert.deepEqual(parseDiagnostics("a.ts:1:2 - error TS1: one\n  more\n\n1 code\n  ~\n\nb.ts:3:4 - error TS2: two\n\nFound 2 errors\n"), [
      { file: 'a.ts', line: 1, column: 2, message: 'TS1: one\n  more', hint: null, excerpt: '1 code\n  ~' }, { file: 'b.ts', line: 3, column: 4, message: 'TS2: two', hint: null },
    ]);
  });
});
