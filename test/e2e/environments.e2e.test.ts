// Packages that leoflow.yaml names: an environment per content, for the compiler and for tasks; what does not resolve says why.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Environments } from '#platform/environments.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

function project(name: string, content: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(content)) {
    const full = join(files.path, name, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
  return join(files.path, name);
}

const USES_SIX = 'import six\nfrom airflow.sdk import DAG, task\nwith DAG("uses_six", schedule=None):\n    @task\n    def version(): return six.__version__\n    version()\n';
const environments = (): string[] => readdirSync(join(home.path, 'environments')).filter((name) => !name.includes('.')).sort();

describe('Python packages', () => {
  test('are there for the file and for its tasks; projects that want the same share them', { timeout: 240_000 }, async () => {
    const one = project('one', { 'leoflow.yaml': 'dependencies:\n  python: requirements.txt\n', 'requirements.txt': '# pinned\nsix==1.16.0\n', 'uses_six.py': USES_SIX });
    const first = await leoflow(home.path, ['run', join(one, 'uses_six.py')], { timeoutMs: 200_000 });
    assert.equal(first.code, 0, first.err);
    assert.match(first.out, /version\.return_value = "1\.16\.0"/);
    assert.match(first.err, /building a Python environment with 1 requirement[\s\S]*Collecting six==1\.16\.0[\s\S]*ready after/);
    const two = project('two', { 'leoflow.yaml': 'dependencies: {python: [six==1.16.0]}\n', 'uses_six.py': USES_SIX });
    const second = await leoflow(home.path, ['test', join(two, 'uses_six.py')], { timeoutMs: 200_000 });
    assert.match(second.out, /version\.return_value = "1\.16\.0"/);
    assert.doesNotMatch(second.err, /building/);
    assert.equal(environments().length, 1);
  });

  test('that do not resolve: pip’s own reason, and nothing half made is left', { timeout: 240_000 }, async () => {
    const before = readdirSync(join(home.path, 'environments')).length;
    const folder = project('wrong', { 'leoflow.yaml': 'dependencies: {python: [six==0.0.0.1]}\n', 'uses_six.py': USES_SIX });
    const done = await leoflow(home.path, ['validate', join(folder, 'uses_six.py')], { timeoutMs: 200_000 });
    assert.equal(done.code, 65);
    assert.match(done.err, /pip could not install what leoflow\.yaml wants:\n +ERROR: Could not find a version that satisfies the requirement six==0\.0\.0\.1 .*\n +ERROR: No matching distribution found for six==0\.0\.0\.1\n/);
    assert.equal(readdirSync(join(home.path, 'environments')).length, before);
  });

  test('what cannot travel with a version is refused with its place', async () => {
    const folder = project('options', { 'leoflow.yaml': 'dependencies:\n  python: requirements.txt\n', 'requirements.txt': 'six\n--index-url https://example.org\n./mine\n-r more.txt\n', 'uses_six.py': USES_SIX });
    const done = await leoflow(home.path, ['validate', join(folder, 'uses_six.py')]);
    assert.match(done.err, /requirements\.txt:2: --index-url: options of pip do not travel/);
    assert.match(done.err, /requirements\.txt:3: \.\/mine: a path does not travel/);
    assert.match(done.err, /requirements\.txt:4: .*more\.txt does not exist/);
  });

  test('a Python that is not there is named', async () => {
    const folder = project('version', { 'leoflow.yaml': 'dependencies:\n  python: {version: "3.99"}\n', 'uses_six.py': USES_SIX });
    const done = await leoflow(home.path, ['validate', join(folder, 'uses_six.py')]);
    assert.equal(done.code, 65);
    assert.match(done.err, /leoflow\.yaml wants python3\.99, which cannot be started here/);
  });
});

describe('Node packages', () => {
  test('are there for the file and for its tasks, and a Node among them runs the tasks', { timeout: 240_000 }, async () => {
    const folder = project('node', {
      'leoflow.yaml': 'dependencies: {node: package.json}\n', 'package.json': JSON.stringify({ name: 'n', private: true, type: 'module', dependencies: { 'is-odd': '3.0.1', [`node-linux-${process.arch}`]: '24.20.0' } }),
      'odd.js': "import isOdd from 'is-odd';\nimport { dag, task } from 'leoflow';\nexport const odd = dag('odd', {}, () => { task('ask', () => [isOdd(7), process.version])(); });\n",
    });
    const done = await leoflow(home.path, ['run', join(folder, 'odd.js')], { timeoutMs: 200_000 });
    assert.equal(done.code, 0, `${done.err}${done.out}`);
    assert.match(done.out, /ask\.return_value = \[true,"v24\.20\.0"\]/);
    assert.match(done.err, /building a Node environment[\s\S]*ready after/);
  });

  test('that do not resolve: npm’s own reason', { timeout: 240_000 }, async () => {
    const folder = project('node-wrong', { 'leoflow.yaml': 'dependencies: {node: package.json}\n', 'package.json': '{"name": "n", "dependencies": {"is-odd": "99.0.0"}}\n', 'odd.js': "import { dag } from 'leoflow';\ndag('odd', {}, () => undefined);\n" });
    const done = await leoflow(home.path, ['validate', join(folder, 'odd.js')], { timeoutMs: 200_000 });
    assert.equal(done.code, 65);
    assert.match(done.err, /npm could not install what leoflow\.yaml wants:\n +No matching version found for is-odd@99\.0\.0/);
  });
});

test('what builds an environment sees nothing of the server’s own settings, and reads no file of the machine', { timeout: 120_000 }, async () => {
  const mark = join(files.path, 'mark.json');
  const folder = project('curious', {
    'leoflow.yaml': 'dependencies: {node: package.json}\n', 'package.json': JSON.stringify({ name: 'n', private: true, scripts: { postinstall: `node -e "require('fs').writeFileSync(process.env.MARK, JSON.stringify(process.env))"` } }),
    'odd.js': "import { dag } from 'leoflow';\ndag('odd', {}, () => undefined);\n",
  });
  await leoflow(home.path, ['validate', join(folder, 'odd.js')], { timeoutMs: 100_000, env: { MARK: mark, LEOFLOW_JWT_SECRET: 'planted-secret-of-the-server-0123456789' } });
  const seen = JSON.parse(readFileSync(mark, 'utf8')) as Record<string, string>;
  assert.equal(seen['MARK'], mark);
  assert.deepEqual(Object.entries(seen).filter(([name, value]) => name.startsWith('LEOFLOW_') || value.includes('planted-secret')), []);
  const pushed = new Environments(join(home.path, 'pushed'), 10);
  await assert.rejects(pushed.python({ requirements: ['-r /etc/hostname'] }, 'python3', () => undefined), /the requirement "-r \/etc\/hostname" is refused: options of pip do not travel/);
});

test('modules of other folders are imported as leoflow.yaml says, and travel with the version', async () => {
  const folder = project('layout', { '.git/HEAD': '', 'leoflow.yaml': 'import_paths: [dags, plugins]\n', 'plugins/helpers.py': 'WORD = "from plugins"\n', 'dags/uses.py': 'from helpers import WORD\nfrom airflow.sdk import DAG, task\nwith DAG("uses", schedule=None):\n    @task\n    def say(): return WORD\n    say()\n' });
  for (const path of [join(folder, 'dags'), join(folder, 'dags', 'uses.py')]) {
    const done = await leoflow(home.path, ['run', path]);
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /say\.return_value = "from plugins"/);
  }
});
