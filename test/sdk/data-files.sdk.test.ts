// Files that only tasks open travel with a version under the real Task SDK too, and saving one makes the next.
import { after, before, describe, test } from 'node:test';
import { temporaryFolder } from '../support/cli.ts';
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
});
