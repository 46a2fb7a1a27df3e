// Files that only tasks open travel with a version under the real Task SDK too, and saving one makes the next.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { type DataFilesProject, playDataFiles, startDataFilesProject } from '../support/data-files.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

describe('data files under the Task SDK', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  let project: DataFilesProject;
  before(async () => void (project = await startDataFilesProject(place.path, 'airflow', { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1' })), { timeout: 100_000 });
  after(async () => {
    await project.lite.stop();
    place.remove();
  });

  test('a run reads what its version holds, whatever is saved meanwhile', { timeout: 100_000 }, () => playDataFiles(project));

  test('modules that only functions import travel', { timeout: 100_000 }, async () => {
    const files = {
      'd.py': 'import importlib\nfrom airflow.sdk import DAG, task\nwith DAG("later", schedule=None):\n    @task\n    def a(name):\n        from helpers_lazy import f\n        return f() + importlib.import_module(f"jobs.{name}").X\n    a("one")\n',
      'helpers_lazy.py': 'def f():\n    import deeper\n', 'deeper.py': '', 'jobs/__init__.py': '', 'jobs/one.py': 'X = 1\n', 'unused.py': '', 'leoflow.yaml': 'runtime: airflow\n',
      'common/dag_factory.py': 'from airflow.sdk import DAG\ndef make_dag(name):\n    return DAG(name)\n',
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(place.path, 'later', path)), { recursive: true });
      writeFileSync(join(place.path, 'later', path), text);
    }
    const done = await leoflow(join(place.path, 'later-home'), ['compile', join(place.path, 'later')], { env: { LEOFLOW_PYTHON: sdkPython() } });
    assert.match(done.err, /^warning: common\/dag_factory\.py: the file holds no DAG\n.*\n$/);
    assert.deepEqual((JSON.parse(done.out) as { sources: { path: string }[] }).sources.map((source) => source.path), ['d.py', 'deeper.py', 'helpers_lazy.py', 'jobs/__init__.py', 'jobs/one.py']);
  });
});
