// `.leoflow/worktree.yaml`: defaults, and every mistake at once with its place.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WORKTREE_DEFAULTS, type WorktreeFile } from '#contract/worktree.ts';
import { readWorktreeFile } from './worktree-file.ts';

async function read(text: string): Promise<WorktreeFile> {
  const folder = mkdtempSync(join(tmpdir(), 'wf-'));
  try {
    mkdirSync(join(folder, '.leoflow'));
    writeFileSync(join(folder, '.leoflow', 'worktree.yaml'), text);
    return await readWorktreeFile(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function problemsOf(text: string): Promise<string[]> {
  const error = await read(text).then(() => null, (caught: Error & { code?: string }) => caught);
  assert.equal(error?.code, 'invalid_value', 'it was taken');
  return (error?.message ?? '').split('\n').map((line) => line.replace(/^.*worktree\.yaml:/, ''));
}

describe('.leoflow/worktree.yaml', () => {
  test('says nothing when it is not there or empty; what it says replaces that default alone', async () => {
    assert.deepEqual(await readWorktreeFile('/nowhere'), WORKTREE_DEFAULTS);
    assert.deepEqual(await read('# nothing\n'), WORKTREE_DEFAULTS);
    const file = await read('link: [.venv, {from: big/models, to: models/}]\nidentity: {name: Ada}\npush: {allow: [refs/tags/v*]}\n');
    assert.deepEqual(file.link, [{ from: '.venv', to: '.venv' }, { from: 'big/models', to: 'models' }]);
    assert.deepEqual([file.identity, file.push], [{ name: 'Ada', email: null, sign: null }, { allow: ['refs/tags/v*'], force: false }]);
    assert.deepEqual(file.caches, WORKTREE_DEFAULTS.caches);
  });

  test('tells every mistake at once, where it is and what may be meant', async () => {
    assert.deepEqual(await problemsOf('lnik: [a]\ncopy: a\nsecret: [/etc/passwd, ../x, ~/.ssh, .git/config, 7]\nports: [Web, web, web]\nidentity:\n  nmae: Ada\n  sign: maybe\nmemory: [cluade]\npush: {allow: [main, "refs/heads/$(x)"], force: 1}\ntemplate: [app.conf, {from: a}]\n'), [
      '1:1: unknown key lnik (did you mean link?)',
      '2:7: copy must be a list',
      '3:10: secret: /etc/passwd is not a path inside the repository', '3:23: secret: ../x is not a path inside the repository', '3:29: secret: ~/.ssh is not a path inside the repository', '3:37: secret: .git/config belongs to git', '3:50: secret must be a text',
      '4:8: ports: a name stands twice', '4:9: ports must be short names of small letters, such as web',
      '6:3: unknown key identity.nmae (did you mean name?)', '7:9: identity.sign must be true or false',
      '8:10: memory must be one of claude (did you mean claude?)',
      '9:16: push.allow must name refs, such as refs/tags/*', '9:22: push.allow must name refs, such as refs/tags/*', '9:49: push.force must be true or false',
      '10:12: template must be {from: …, to: …}', '10:22: template: to is missing',
    ]);
    assert.match((await problemsOf('link: [a\ncopy: b\n')).join(), /^\d+:\d+: /);
    assert.match((await problemsOf('link: [a]\nlink: [b]\n')).join(), /2:1: Map keys must be unique/);
    assert.match((await problemsOf('- a\n')).join(), /1:1: the file must be a mapping of link, copy/);
    assert.match((await problemsOf(`ports: [${'abcdefghijk'.split('').join(', ')}]`)).join(), /at most 10 names/);
  });
});
