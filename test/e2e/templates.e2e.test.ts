// `leoflow init` in three languages: each project is sound, tested and untouched by a second try, and all three are one pipeline.
import assert from 'node:assert/strict';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { canonicalJson } from '#core/digest.ts';
import { graphOf } from '#core/dag-graph.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { ProjectCompiler } from '#cli/project-compiler.ts';
import { findPython } from '#cli/python-command.ts';
import { runOnce } from '#cli/run-once.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { listRunXComs } from '#store/run-view.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'examples', 'templates');
const LANGUAGES = { python: ['dags/orders.py', ['pytest', '-q']], yaml: ['dags/orders.yaml', ['pytest', '-q']], typescript: ['dags/orders.ts', ['node', '--test']] } as const;

describe('a project begun by init', () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  after(() => place.remove());
  const filesOf = (folder: string): Record<string, string> => Object.fromEntries(globSync('**/*', { cwd: folder, withFileTypes: true, exclude: ['**/node_modules', '**/__pycache__', '**/.pytest_cache'] })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort().map((path) => [path, readFileSync(path, 'utf8')]));

  for (const [language, [file, tests]] of Object.entries(LANGUAGES)) {
    test(`${language}: validates, runs, passes its own tests, and is not overwritten`, { timeout: 240_000 }, async () => {
      const begun = await leoflow(home, ['init', `orders-${language}`, '--template', language], { cwd: place.path });
      assert.equal(begun.code, 0, begun.err);
      assert.match(begun.out, new RegExp(`  cd orders-${language}\n  leoflow test ${file} `));
      const folder = join(place.path, `orders-${language}`);
      const written = filesOf(folder);
      const listed = (begun.out.split('\n\n')[0] ?? '').split('\n').map((line) => line.trim());
      assert.deepEqual(listed.filter((path) => !existsSync(join(folder, path))), []);
      assert.ok(listed.includes(file) && listed.includes('.gitignore') && listed.includes('leoflow.yaml'));
      const valid = await leoflow(home, ['validate', 'dags/'], { cwd: folder });
      assert.match(valid.out, new RegExp(`^ok  orders  4 tasks  ${file.replace('dags/', '')} `), valid.err);
      assert.equal(valid.err, '');
      const ran = await leoflow(home, ['test', file, '--date', '2026-01-31', '--params', '{"shops": ["a"]}', '--json'], { cwd: folder });
      assert.equal(ran.code, 0, ran.err);
      const { state, xcoms } = JSON.parse(ran.out) as { state: string; xcoms: { task_id: string; value: unknown }[] };
      assert.deepEqual([state, xcoms.find((one) => one.task_id === 'announce')?.value], ['success', '2026-01-31 20 orders of 1 shops']);
      const tested = await leoflow(home, [...tests], { cwd: folder, timeoutMs: 200_000 });
      assert.equal(tested.code, 0, `${tested.out}\n${tested.err}`);
      assert.match(tested.out, language === 'typescript' ? /^ℹ pass 2$/m : /^3 passed/m);
      const again = await leoflow(home, ['init', folder, '--template', language]);
      assert.equal(again.code === 0, false);
      assert.match(again.err, /holds .*orders.* already\n.*nothing was written/);
      assert.deepEqual(filesOf(folder), written);
    });
  }

  test('a file that is in the way stays as it is; an unknown language is refused', async () => {
    const folder = join(place.path, 'taken');
    mkdirSync(folder);
    writeFileSync(join(folder, 'leoflow.yaml'), 'owner: somebody\n');
    const [taken, unknown] = await Promise.all([leoflow(home, ['init', folder]), leoflow(home, ['init', join(place.path, 'new'), '--template', 'rust'])]);
    assert.match(taken.err, /holds leoflow\.yaml already/);
    assert.deepEqual(Object.values(filesOf(folder)), ['owner: somebody\n']);
    assert.match(unknown.err, /--template rust: expected one of python, yaml, typescript/);
    assert.equal(existsSync(join(place.path, 'new')), false);
  });

  test('--editor renews what editors read and nothing else', async () => {
    const folder = join(place.path, 'edited');
    assert.equal((await leoflow(home, ['init', folder, '--template', 'typescript'])).code, 0);
    rmSync(join(folder, '.leoflow'), { recursive: true });
    rmSync(join(folder, 'node_modules'), { recursive: true });
    writeFileSync(join(folder, 'leoflow.yaml'), 'owner: mine\n');
    const renewed = await leoflow(home, ['init', folder, '--editor']);
    assert.equal(renewed.code, 0, renewed.err);
    assert.equal(readFileSync(join(folder, 'leoflow.yaml'), 'utf8'), 'owner: mine\n');
    for (const name of ['dag-yaml-1.0.json', 'leoflow-yaml-1.0.json']) assert.equal(typeof JSON.parse(readFileSync(join(folder, '.leoflow', name), 'utf8')), 'object');
    assert.ok(existsSync(join(folder, 'node_modules', 'leoflow', 'package.json')) && existsSync(join(folder, 'node_modules', '@types', 'node', 'package.json')));
    const nowhere = await leoflow(home, ['init', join(place.path, 'nowhere'), '--editor']);
    assert.match(nowhere.err, /nowhere does not exist/);
  });
});

describe('one pipeline in three languages', () => {
  const place = temporaryFolder();
  const compiled = new Map<string, CompiledDag>();
  let engine: OpenEngine;
  before(async () => {
    const config = readConfig({ LEOFLOW_HOME: place.path }, {});
    const python = await findPython(config, place.path, () => undefined);
    engine = await openEngine({ config, home: join(place.path, 'home'), store: 'throwaway', python, writeLog: () => undefined });
    for (const [language, [file]] of Object.entries(LANGUAGES)) {
      const root = join(place.path, language);
      cpSync(join(TEMPLATES, language), root, { recursive: true });
      const { dags: [only], problems } = await new ProjectCompiler(root, { config, python }).compile(file);
      assert.deepEqual(problems, []);
      assert.ok(only !== undefined);
      compiled.set(language, only);
    }
  });
  after(async () => {
    await engine.stop({ endExecutions: true });
    place.remove();
  });

  test('has one graph, byte for byte', () => {
    const [python, yaml, typescript] = Object.keys(LANGUAGES).map((language) => canonicalJson(graphOf(compiled.get(language)?.dag ?? assert.fail())));
    assert.equal(yaml, python);
    assert.equal(typescript, python);
    assert.equal(new Set([...compiled.values()].map(({ dag }) => dag.fileloc)).size, 3);
  });

  test('ends in the same states and values', { timeout: 120_000 }, async () => {
    const ends: unknown[] = [];
    for (const [hour, one] of [...compiled.values()].entries()) {
      await engine.register(one, { bundle: 'templates', active: true, parseMs: null });
      const { view, run } = await runOnce(engine, { dag: one.dag, conf: { shops: ['east', 'west', 'up'] }, logicalDate: Date.UTC(2026, 0, 31, hour), signal: AbortSignal.timeout(100_000) }, { out: () => undefined, progress: null, live: false, coloured: false });
      const states = view.instances.map(({ taskId, mapIndex, state, tryNumber }) => ({ taskId, mapIndex, state, tryNumber })).sort((a, b) => (`${a.taskId} ${a.mapIndex}` < `${b.taskId} ${b.mapIndex}` ? -1 : 1));
      const values = (await listRunXComs(engine.database, run, 100)).map(({ taskId, mapIndex, key, text }) => `${taskId}[${mapIndex}].${key} = ${text}`).sort();
      ends.push({ state: view.state, states, values });
    }
    const [python, yaml, typescript] = ends;
    assert.deepEqual(yaml, python);
    assert.deepEqual(typescript, python);
    assert.match(JSON.stringify(python), /2026-01-31 67 orders of 3 shops/);
  });
});
