// What travels with a version besides code, what is left out and said, and which files of a folder are read at all.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { type DataFilesProject, playDataFiles, startDataFilesProject } from '../support/data-files.ts';

const dag = (id: string, body = 'return 1'): string => `import os\nfrom airflow.sdk import DAG, task\nHERE = os.path.dirname(__file__)\nwith DAG("${id}", schedule=None):\n    @task\n    def a():\n        ${body}\n    a()\n`;

/** A zip of one file, without sums: nobody unpacks it. */
function zipOf(name: string, text: string): Buffer {
  const [path, content] = [Buffer.from(name), deflateRawSync(text)];
  const common = Buffer.alloc(26);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(text.length, 18);
  common.writeUInt16LE(path.length, 22);
  const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, path, content]);
  const entry = Buffer.concat([Buffer.from('PK\u0001\u0002\0\0'), common, Buffer.alloc(14), path]);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006');
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}

describe('data files', () => {
  const place = temporaryFolder();
  const home = join(place.path, 'cli-home');
  let project: DataFilesProject;
  before(async () => void (project = await startDataFilesProject(place.path, 'leoflow')), { timeout: 60_000 });
  after(async () => {
    await project.lite.stop();
    place.remove();
  });
  const write = (path: string, content: string | Buffer): string => {
    const full = join(place.path, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  };
  const sourcesOf = async (path: string): Promise<{ paths: string[]; err: string; code: number | null }> => {
    const done = await leoflow(home, ['compile', join(place.path, path)]);
    return { paths: done.code === 0 ? (JSON.parse(done.out) as { sources: { path: string }[] }).sources.map((source) => source.path) : [], err: done.err, code: done.code };
  };

  test('a run reads what its version holds, whatever is saved meanwhile', { timeout: 60_000 }, () => playDataFiles(project));

  test('while lite runs, .airflowignore takes files out and lets them in again, and a packaged DAG is told', { timeout: 60_000 }, async () => {
    project.write('ign/other.py', dag('other'));
    await project.lite.until('registered  other');
    project.write('.airflowignore', 'ign/\n');
    await project.lite.until('removed  other  (ign/other.py is left out by .airflowignore)');
    // What is ignored is not registered by being saved; what is saved after it shows that it was looked at.
    project.write('ign/late.py', dag('late'));
    project.write('seen.py', dag('seen'));
    await project.lite.until('registered  seen');
    writeFileSync(join(place.path, 'dags', 'packed.zip'), zipOf('d.py', dag('zipped')));
    await project.lite.until('packed.zip: this is a packaged DAG, and zip files are not read');
    project.write('.airflowignore', '');
    await project.lite.until('registered  late');
    rmSync(join(place.path, 'dags', 'ign'), { recursive: true });
  });

  test('what does not travel is told with the line that names it, until it is included', async () => {
    write('big/d.py', dag('big', 'return open(os.path.join(HERE, "data", "big.csv")).read()'));
    write('big/data/big.csv', 'x'.repeat(1_500_000));
    const left = await sourcesOf('big/d.py');
    assert.deepEqual(left.paths, ['d.py']);
    assert.match(left.err, /warning: d\.py:7: data\/big\.csv does not travel with the version: it has 1\.5 MB/);
    assert.match(left.err, /include_files of leoflow\.yaml/);
    write('big/leoflow.yaml', 'include_files: [data, "none/*.x"]\ndags:\n  big: {include_files: [readme.txt]}\n  other: {include_files: [other.txt]}\n');
    write('big/readme.txt', '');
    write('big/other.txt', '');
    const held = await sourcesOf('big/d.py');
    assert.deepEqual(held.paths, ['d.py', 'data/big.csv', 'readme.txt']);
    assert.match(held.err, /^warning: .*leoflow\.yaml:1:\d+: include_files: none\/\*\.x matches no file\n {2}→ .*\n$/);
  });

  test('include_files that lead away, or hold too much, refuse the file', async () => {
    write('away/d.py', dag('away'));
    write('away/leoflow.yaml', 'include_files: ["../big/**"]\n');
    const away = await sourcesOf('away/d.py');
    assert.equal(away.code, 65);
    assert.match(away.err, /leoflow\.yaml:1:\d+: include_files: \.\.\/big\/\*\* leads out of the folder/);
    write('away/leoflow.yaml', 'include_files: ["*.bin"]\n');
    write('away/one.bin', Buffer.alloc(6_000_000));
    write('away/two.bin', Buffer.alloc(6_000_000));
    const much = await sourcesOf('away/d.py');
    assert.equal(much.code, 65);
    assert.match(much.err, /include_files: \*\.bin is too much: up to 2000 files and 10 MB/);
  });

  test('files beside the folder of the DAG files are told, and travel once a leoflow.yaml above names them', async () => {
    write('repo/.git/HEAD', '');
    write('repo/dags/d.py', dag('beside', 'return open(os.path.join(HERE, "..", "sql", "x.sql")).read()'));
    write('repo/sql/x.sql', '');
    assert.match((await sourcesOf('repo/dags')).err, /d\.py:7: \.\.\/sql\/x\.sql does not travel with the version: it lies outside/);
    write('repo/leoflow.yaml', 'include_files: ["sql/*.sql"]\n');
    const both = await sourcesOf('repo/dags');
    assert.deepEqual([both.paths, both.err], [['dags/d.py', 'sql/x.sql'], '']);
    // The folder of the DAG files is imported from wherever paths start.
    write('repo/dags/own/__init__.py', '');
    write('repo/dags/own/code.py', 'X = 1\n');
    write('repo/dags/d.py', `from own.code import X\n${dag('beside')}`);
    assert.deepEqual(await sourcesOf('repo/dags'), { paths: ['dags/d.py', 'dags/own/__init__.py', 'dags/own/code.py', 'sql/x.sql'], err: '', code: 0 });
    const ran = await leoflow(home, ['run', join(place.path, 'repo/dags/d.py')]);
    assert.equal(ran.code, 0, ran.out + ran.err);
  });

  test('the same project is the same version, whatever else lies in it', async () => {
    write('same/d.py', dag('same', 'return open(os.path.join(HERE, "data", "one.csv")).read()'));
    write('same/data/one.csv', '1');
    const compile = async (): Promise<string> => (await leoflow(home, ['compile', join(place.path, 'same')])).out;
    const before = await compile();
    write('same/data/two.csv', '2');
    write('same/data/.hidden', '');
    write('same/notes.txt', '');
    assert.equal(await compile(), before);
    write('same/data/one.csv', '11');
    assert.notEqual(await compile(), before);
  });

  test('functions of a dag.yaml, its texts and its include_files travel', async () => {
    write('yaml/d.yaml', 'tasks:\n  a:\n    python: f.py#f\n    with: {path: sql/load.sql}\n');
    write('yaml/f.py', 'from pathlib import Path\ndef f(path):\n    return (Path(__file__).parent / "near.json").read_text()\n');
    write('yaml/leoflow.yaml', 'include_files: [more.txt]\n');
    for (const name of ['near.json', 'sql/load.sql', 'more.txt', 'sql/other.sql']) write(`yaml/${name}`, '');
    assert.deepEqual((await sourcesOf('yaml/d.yaml')).paths.filter((path) => !path.endsWith('d.yaml.json')).sort(), ['d.yaml', 'f.py', 'more.txt', 'near.json', 'sql/load.sql']);
  });

  test('a stored version holds the modules that only its functions import, and runs alone; lite makes another when one is saved', { timeout: 60_000 }, async () => {
    const files = {
      'later/helpers_lazy.py': 'import deeper\ndef f():\n    return deeper.X\n', 'later/deeper.py': 'X = 1\n', 'later/jobs/__init__.py': '', 'later/jobs/one.py': 'X = 2\n', 'later/unused.py': '',
      'later/d.py': 'import importlib\nfrom airflow.sdk import DAG, task\nwith DAG("later", schedule=None):\n    @task\n    def a(name):\n        from helpers_lazy import f\n        return f() + importlib.import_module(f"jobs.{name}").X\n    a("one")\n',
    };
    for (const [path, content] of Object.entries(files)) write(path, content);
    const paths = ['d.py', 'deeper.py', 'helpers_lazy.py', 'jobs/__init__.py', 'jobs/one.py'];
    assert.deepEqual(await sourcesOf('later/d.py'), { paths, err: '', code: 0 });
    const alone = join(place.path, 'later-alone');
    assert.equal((await leoflow(home, ['compile', join(place.path, 'later/d.py'), '--sources', alone])).code, 0);
    const ran = await leoflow(home, ['run', join(alone, 'd.py')]);
    assert.match(ran.out, /a\.return_value = 3/);
    for (const [path, content] of Object.entries(files)) project.write(path.replace('later/', ''), content);
    await project.lite.until('registered  later  version 1');
    project.write('helpers_lazy.py', 'def f():\n    return 7\n');
    await project.lite.until('registered  later  version 2');
  });

  describe('a helper that looks like a DAG file', () => {
    const helper = 'from airflow.sdk import DAG\ndef make_dag(name):\n    return DAG(name)\n';
    test('refuses no folder that holds a DAG, and needs no word when another file imports it', async () => {
      write('helped/common/dag_factory.py', helper);
      write('helped/d.py', `def later():\n    from common.dag_factory import make_dag\n${dag('helped')}`);
      for (const command of ['validate', 'compile', 'validate --strict']) {
        const done = await leoflow(home, [...command.split(' '), join(place.path, 'helped')]);
        assert.deepEqual([done.code, done.err], [0, ''], command);
      }
      write('helped/d.py', dag('helped'));
      const noted = await leoflow(home, ['validate', join(place.path, 'helped')]);
      assert.equal(noted.code, 0);
      assert.match(noted.err, /^warning: common\/dag_factory\.py: the file holds no DAG\n {2}→ .*exclude_paths.*\n$/);
      const assessed = JSON.parse((await leoflow(home, ['assess', join(place.path, 'helped'), '--json'])).out) as { file: string; verdict: string }[];
      assert.deepEqual(assessed.map(({ file, verdict }) => [file, verdict]), [['common/dag_factory.py', 'none'], ['d.py', 'runs']]);
    });

    test('is an error when it is named, and when the folder holds no DAG at all', async () => {
      write('helpless/dag_factory.py', helper);
      for (const path of ['helpless', 'helpless/dag_factory.py']) {
        const done = await leoflow(home, ['compile', join(place.path, path)]);
        assert.equal(done.code, 65);
        assert.match(done.err, /dag_factory\.py:1: the file holds no DAG/);
      }
    });

    test('is a warning of lite, and a file that has lost its DAG loses it there', { timeout: 60_000 }, async () => {
      project.write('losing.py', dag('losing'));
      await project.lite.until('registered  losing');
      project.write('losing.py', helper);
      await project.lite.until('removed  losing  (no longer in losing.py)');
      await project.lite.until('warning  losing.py: the file holds no DAG');
    });
  });

  test('a packaged DAG is told by validate, compile and assess; a zip of anything else is nobody’s business', async () => {
    write('zips/d.py', dag('plain'));
    write('zips/packed.zip', zipOf('dag.py', dag('zipped')));
    write('zips/jobs.zip', zipOf('job.py', 'print(1)'));
    write('zips/data.zip', zipOf('airflow_dag.csv', 'airflow dag'));
    write('zips/deep.zip', zipOf('lib/dag.py', dag('deep')));
    write('zips/broken.zip', 'PK');
    write('zips/.airflowignore', 'ignored.zip\n');
    write('zips/ignored.zip', zipOf('dag.py', dag('zipped')));
    const folder = join(place.path, 'zips');
    for (const command of ['validate', 'compile']) {
      const done = await leoflow(home, [command, folder]);
      assert.equal(done.code, 0, done.err);
      assert.match(done.err, /^warning: packed\.zip: this is a packaged DAG, and zip files are not read\n {2}→ Unpack it .*import_paths.*\n$/);
    }
    const named = await leoflow(home, ['validate', join(folder, 'packed.zip')]);
    assert.match(named.err, /packed\.zip: this is a packaged DAG/);
    assert.notEqual(named.code, 0);
    const assessed = JSON.parse((await leoflow(home, ['assess', folder, '--json'])).out) as { file: string; verdict: string; why: string }[];
    assert.deepEqual(assessed.map(({ file, verdict }) => [file, verdict]), [['d.py', 'runs'], ['packed.zip', 'cannot']]);
    assert.match(assessed[1]?.why ?? '', /packaged DAG.*Unpack it/);
  });
});
