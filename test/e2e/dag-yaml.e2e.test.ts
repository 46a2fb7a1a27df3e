// dag.yaml through the real parser: the guide's examples, everything wrong with a file at once, and hostile files.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DrawnFile } from '#contract/drawing.ts';
import { LIMITS } from '#contract/config.ts';
import { type Compiled, renderProblem } from '#compile/compiled.ts';
import { compileFile } from '#compile/compile-file.ts';
import { findPython } from '#cli/python-command.ts';
import { readConfig } from '#platform/config.ts';
import { startLeoflow, temporaryFolder } from '../support/cli.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const GUIDE = join(import.meta.dirname, '..', '..', 'docs', 'guides', 'yaml.md');

describe('dag.yaml', () => {
  const root = mkdtempSync(join(tmpdir(), 'leoflow-yaml-'));
  let python = '';
  const write = (name: string, text: string | Buffer): void => writeFileSync(join(root, name), text);
  const compile = (file: string): Promise<Compiled> => compileFile({ root, file, python, ...BARE_REQUEST });
  const told = async (name: string, text: string | Buffer): Promise<string[]> => {
    write(name, text);
    const compiled = await compile(name);
    assert.deepEqual(compiled.dags, [], 'a file with problems gives no DAG here');
    return compiled.problems.map((problem) => renderProblem(problem).split('\n')[0] ?? '');
  };
  before(async () => {
    python = await findPython(readConfig({ LEOFLOW_HOME: root }, {}), root, () => undefined);
  });
  after(() => rmSync(root, { recursive: true }));

  it('every example of the guide compiles', async () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const blocks = (language: string): string[] => [...guide.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((match) => match[1] ?? '');
    write('steps.py', blocks('python').join('\n'));
    const examples = blocks('yaml');
    assert.ok(examples.length >= 6);
    for (const [index, text] of examples.entries()) {
      write(`example${index}.yaml`, text);
      const compiled = await compile(`example${index}.yaml`);
      assert.deepEqual(compiled.problems.map(renderProblem), [], text);
      assert.ok(compiled.dags.length > 0);
    }
  });

  it('a DAG travels with the drawings that its tasks are made of', async () => {
    write('f.py', 'def f(x):\n    return x\n');
    write('named.dag.yaml', 'tasks:\n  late: {python: f.py#f, with: {x: {xcom: early}}}\n  early: {python: f.py#f, with: {x: 1}}\n');
    const [one] = (await compile('named.dag.yaml')).dags;
    assert.deepEqual([one?.dag.dag_id, one?.dag.tasks.map((task) => task.task_id)], ['named', ['late', 'early']]);
    assert.deepEqual(one?.sources.map(({ path }) => path), ['named.dag.yaml', 'f.py', 'named.dag.yaml.json']);
    const drawn = JSON.parse(one?.sources.at(-1)?.content.toString('utf8') ?? '') as DrawnFile;
    assert.deepEqual([drawn.schema_version, drawn.dags[0]?.dag_id, Object.keys(drawn.dags[0]?.tasks ?? {})], ['1.0', 'named', ['late', 'early']]);
  });

  it('form, meaning, Python and modules: everything at once, in the order of the file', async () => {
    write('f.py', 'def f(x):\n    return x\n');
    write('broken.py', 'def g(:\n    pass\n');
    assert.deepEqual(await told('bad.yaml', [
      'dag_id: bad', 'schedul: "@daily"', 'tasks:', '  a: {python: f.py#g, retries: -1}', '  b: {operator: BashOprator, after: [aa]}', '  c:', '    operator: BashOperator', '    bash_comand: ls',
      '  d: {python: broken.py#g}', '  e: {python: broken.py#h, after: [a]}', '  f: {python: f.py#f, with: {x: {xcom: nope}}}', '---', 'dag_id: when', 'schedule: 99 * * * *', 'tasks: {a: {operator: EmptyOperator}}',
      '---', 'dag_id: round', 'tasks: {a: {operator: EmptyOperator, after: [b]}, b: {operator: EmptyOperator, after: [a]}}',
    ].join('\n')), [
      'bad.yaml:2:1: unknown key schedul (did you mean schedule?)', 'bad.yaml:4:32: a: retries: must be at least 0', 'bad.yaml:5:17: there is no operator BashOprator (did you mean BashOperator?)',
      'bad.yaml:5:38: there is no task aa (did you mean a?)', 'bad.yaml:8:18: BashOperator takes no argument bash_comand (did you mean bash_command?)', 'bad.yaml:11:40: there is no task nope',
      'bad.yaml:14:11: when: $.timetable: minute "99": 99 is outside 0-59', "bad.yaml:18:9: tasks of DAG 'round' wait for each other: a → b → a", 'broken.py:1:7: SyntaxError: invalid syntax',
    ]);
  });

  it('functions for Node are looked up, and what they import travels with them', async () => {
    write('deep.ts', 'export const two = 2;\n');
    write('body.ts', "import { two } from './deep.ts';\nexport function twice({ x }: { x: number }): number { return two * x; }\n");
    write('node.yaml', 'tasks:\n  a: {node: body.ts#twice, with: {x: 1}}\n');
    const [one] = (await compile('node.yaml')).dags;
    assert.deepEqual([one?.dag.runtime, one?.dag.tasks[0]?.body, one?.sources.map(({ path }) => path)], ['node', { kind: 'node', module: 'body.ts', export: 'twice' }, ['node.yaml', 'body.ts', 'deep.ts', 'node.yaml.json']]);
    assert.deepEqual(await told('node.yaml', 'tasks:\n  a: {node: body.ts#twise}\n  b: {node: nowhere.ts#f}\n'), ['node.yaml:2:13: body.ts exports no function twise (did you mean twice?)', 'node.yaml:3:13: there is no file nowhere.ts in the project']);
  });

  it('lite registers a YAML when it, or a function it names, is saved; a broken one leaves the old version', { timeout: 90_000 }, async () => {
    const place = temporaryFolder();
    const dags = join(place.path, 'dags');
    mkdirSync(dags);
    const save = (name: string, text: string): void => writeFileSync(join(dags, name), text);
    save('steps.py', 'def f():\n    return 1\n');
    save('etl.yaml', 'tasks:\n  a: {python: steps.py#f}\n');
    const lite = startLeoflow(join(place.path, 'home'), ['lite', dags, '--port', '0', '--home', join(place.path, 'home')]);
    try {
      await lite.until('registered  etl  version 1');
      save('etl.yaml', 'tasks:\n  a: {python: steps.py#f, retries: 1}\n');
      await lite.until('registered  etl  version 2');
      save('etl.yaml', 'tasks:\n  a: {python: steps.py#g}\n');
      await lite.until('refused  etl.yaml:2:15: steps.py has no function g');
      save('steps.py', 'def g():\n    return 1\n');
      await lite.until('registered  etl  version 3');
    } finally {
      await lite.stop();
      place.remove();
    }
  });

  it('files that no author means to write', async () => {
    const bomb = ['a0: &a0 [x, x]', ...Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`)].join('\n');
    assert.match((await told('bomb.yaml', bomb)).join(), /bomb\.yaml:1:1: .*alias/i);
    assert.deepEqual(await told('tab.yaml', 'tasks:\n\ta: {}\n'), ['tab.yaml:2:1: Tabs are not allowed as indentation']);
    assert.deepEqual(await told('twice.yaml', 'tasks: {}\ntasks: {}\n'), ['twice.yaml:2:1: Map keys must be unique']);
    assert.match((await told('empty.yaml', '')).join(), /empty\.yaml:1:1: the file holds no DAG/);
    assert.match((await told('list.yaml', '- 1\n')).join(), /list\.yaml:1:1: a DAG is a mapping .* this is a list/);
    assert.match((await told('bytes.yaml', Buffer.from([0x74, 0xff, 0xfe]))).join(), /bytes\.yaml:1:1: the file is no text in UTF-8/);
    assert.match((await told('large.yaml', `# ${'x'.repeat(LIMITS.maxDagYamlBytes)}\ntasks: {}\n`)).join(), /large\.yaml:1:1: the file is larger than 1048576 bytes/);
    write('bom.yaml', '\uFEFFtasks: {a: {operator: EmptyOperator}}\n');
    assert.equal((await compile('bom.yaml')).dags.length, 1);
  });
});
