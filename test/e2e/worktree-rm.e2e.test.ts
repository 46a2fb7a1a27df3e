// `leoflow worktree rm` and `gc` on real git: nothing is lost, what is saved can be had back, links are never followed, the primary checkout stays as it is.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { collectGarbage } from '#devloop/worktree/collect-garbage.ts';
import { openRepository } from '#devloop/worktree/repository.ts';
import { fingerprint, git, onStage, program, type Stage, write } from '../support/worktrees.ts';

interface Refusal extends Error { readonly code: string; readonly details: readonly { readonly what: string }[] }

async function reasonsOf(stage: Stage, branch: string): Promise<readonly string[]> {
  const error = await stage.remove(branch).then(() => null, (caught: unknown) => caught as Refusal);
  assert.ok(error !== null, 'it was removed');
  assert.equal(error.code, 'worktree_refused', error.stack);
  return error.details.map((one) => one.what);
}

async function commit(stage: Stage, branch: string, text: string): Promise<string> {
  const { code, err, out } = await stage.inside(branch, 'sh', '-c', `echo '${text}' >>a.txt && git add --all && git commit --quiet --message '${text}' && git rev-parse HEAD`);
  assert.equal(code, 0, err);
  return out.trim();
}

describe('rm', () => {
  test('says every reason at once, and removes nothing', () => onStage(async (stage) => {
    const { dir } = await stage.make('busy');
    await commit(stage, 'busy', 'unpushed');
    git(stage.primary, 'worktree', 'lock', '--reason', 'run 7', dir);
    write(join(dir, 'a.txt'), 'changed\n');
    git(dir, 'stash');
    write(join(dir, 'a.txt'), 'changed\n');
    write(join(dir, 'new file.txt'), '');
    write(join(dir, 'copied.log'), 'edited');
    writeFileSync(join(stage.primary, '.git', 'worktrees', 'busy', 'MERGE_HEAD'), `${git(dir, 'rev-parse', 'HEAD')}\n`);
    const before = fingerprint(stage.primary);
    const child = spawn('sleep', ['60'], { cwd: dir, stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      const reasons = await reasonsOf(stage, 'busy');
      assert.deepEqual(reasons.map((one) => one.replace(/\d{3,} sleep.*/, 'PID sleep')), [
        '1 changed file (a.txt)', '1 untracked file (new file.txt)', '1 copied file (copied.log) changed since', '1 commit of busy on no remote', '1 stash entry (stash@{0}: WIP on busy: ' + git(dir, 'log', '-1', '--format=%h %s') + ')',
        'it is in the middle of a merge', 'it is locked (run 7)', '1 process works in it: PID sleep',
      ]);
      await assert.rejects(stage.remove('busy', { force: true }), /process works in it/, 'a process that writes on would write into nothing');
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    assert.ok(existsSync(join(dir, 'new file.txt')));
    assert.equal(fingerprint(stage.primary), before);
  }, { setUp: (primary) => {
    write(join(primary, '.leoflow', 'worktree.yaml'), 'copy: [copied.log]\n');
    write(join(primary, 'copied.log'), 'as it was');
  } }));

  test('takes a clean tree away: links as links, ports and the temporary folder too; a branch that is not merged stays', () => onStage(async (stage) => {
    const made = await stage.make('clean');
    await commit(stage, 'clean', 'two');
    await stage.inside('clean', 'git', 'push');
    const before = fingerprint(stage.primary);
    const removed = await stage.remove('clean');
    assert.deepEqual([removed.branchDeleted, removed.rescued, existsSync(made.dir), existsSync(made.temporary)], [null, null, false, false]);
    assert.ok(existsSync(join(stage.primary, '.venv', 'bin', 'python')), 'the primary’s environment survives');
    assert.equal(git(stage.primary, 'branch', '--list', 'clean').trim(), 'clean');
    assert.equal((await stage.make('again')).port, made.port, 'its ports are free again');
    assert.equal(fingerprint(stage.primary), before);
  }, { setUp: (primary) => write(join(primary, '.venv', 'bin', 'python'), '') }));

  test('by force everything can be had back: commits, those of the reflog and of a detached HEAD, changes of every kind, untracked and ignored files', () => onStage(async (stage) => {
    const { dir } = await stage.make('forced');
    const amended = await commit(stage, 'forced', 'first try');
    await stage.inside('forced', 'git', 'commit', '--amend', '--quiet', '--message', 'second try');
    const kept = git(dir, 'rev-parse', 'HEAD');
    await stage.inside('forced', 'git', 'switch', '--quiet', '--detach');
    const detached = await commit(stage, 'forced'.replace('forced', dir), 'detached');
    await stage.inside(dir, 'git', 'switch', '--quiet', 'forced');
    writeFileSync(join(dir, 'latin.txt'), Buffer.from([0x66, 0xfc, 0x72, 0x0a]));
    writeFileSync(join(dir, 'binary.bin'), Buffer.from(Array.from({ length: 600 }, (_, at) => at % 256)));
    chmodSync(join(dir, 'a.txt'), 0o755);
    write(join(dir, 'staged.txt'), 'staged\n');
    git(dir, 'add', 'staged.txt');
    git(dir, 'rm', '--quiet', 'gone.txt');
    symlinkSync('nowhere', join(dir, 'link'));
    write(join(dir, 'new folder', 'ü.txt'), 'untracked\n');
    write(join(dir, 'build.log'), 'ignored');
    const before = fingerprint(stage.primary);
    const { rescued, branchDeleted } = await stage.remove('forced', { force: true, deleteBranch: true, withIgnored: true });
    assert.deepEqual([existsSync(dir), branchDeleted], [false, kept]);
    assert.equal(fingerprint(stage.primary), before);
    const folder = rescued?.folder ?? '';
    git(stage.primary, 'reflog', 'expire', '--expire=now', '--expire-unreachable=now', '--all');
    git(stage.primary, 'gc', '--quiet', '--prune=now');
    assert.notEqual(program('git', ['cat-file', '-e', detached], { cwd: stage.primary }).code, 0, 'gone from the repository');
    const back = join(stage.folder, 'back');
    git(stage.folder, 'clone', '--quiet', stage.origin, back);
    git(back, 'fetch', '--quiet', join(folder, 'commits.bundle'), '+refs/*:refs/rescued/*');
    for (const id of [amended, kept, detached]) assert.equal(git(back, 'cat-file', '-t', id), 'commit');
    git(back, 'switch', '--quiet', '--detach', kept);
    git(back, 'apply', join(folder, 'changes.patch'));
    git(back, 'checkout', '--quiet', kept, '--', 'latin.txt');
    git(back, 'apply', '--include=latin.txt', join(folder, 'changes.patch'));
    assert.deepEqual([...readFileSync(join(back, 'latin.txt'))], [0x66, 0xfc, 0x72, 0x0a], 'bytes that are no UTF-8');
    assert.deepEqual([existsSync(join(back, 'gone.txt')), readFileSync(join(back, 'staged.txt'), 'utf8'), lstatSync(join(back, 'a.txt')).mode & 0o111], [false, 'staged\n', 0o111]);
    assert.equal(readFileSync(join(folder, 'files', 'new folder', 'ü.txt'), 'utf8'), 'untracked\n');
    assert.equal(readFileSync(join(folder, 'files', 'binary.bin')).length, 600);
    assert.equal(readlinkSync(join(folder, 'files', 'link')), 'nowhere');
    assert.equal(readFileSync(join(folder, 'ignored', 'build.log'), 'utf8'), 'ignored');
  }, { setUp: (primary) => {
    write(join(primary, 'latin.txt'), 'plain\n');
    write(join(primary, 'gone.txt'), 'gone\n');
  } }));

  test('what only the reflog of the tree holds is saved without being asked', () => onStage(async (stage) => {
    await stage.make('loose');
    const lost = await commit(stage, 'loose', 'to be reset');
    await stage.inside('loose', 'git', 'reset', '--hard', '--quiet', 'origin/main');
    const { rescued } = await stage.remove('loose');
    assert.match(git(stage.primary, 'bundle', 'list-heads', join(rescued?.folder ?? '', 'commits.bundle')), new RegExp(lost));
  }));

  test('in the middle of a conflict force still saves what stands in the files', () => onStage(async (stage) => {
    const { dir } = await stage.make('conflict');
    await commit(stage, 'conflict', 'ours');
    write(join(stage.primary, 'a.txt'), 'theirs\n');
    git(stage.primary, 'commit', '--quiet', '--all', '--message', 'theirs');
    assert.notEqual((await stage.inside('conflict', 'git', 'merge', 'main')).code, 0);
    const text = readFileSync(join(dir, 'a.txt'), 'utf8');
    assert.match(text, /<<<<<<</);
    const { rescued } = await stage.remove('conflict', { force: true });
    const back = join(stage.folder, 'back');
    git(stage.primary, 'worktree', 'add', '--quiet', back, 'conflict');
    git(back, 'apply', join(rescued?.folder ?? '', 'changes.patch'));
    assert.equal(readFileSync(join(back, 'a.txt'), 'utf8'), text);
  }));
});

describe('gc', () => {
  const collect = async (stage: Stage, dryRun: boolean) => collectGarbage(await openRepository(stage.primary), { dryRun, fetches: true, say: () => undefined });

  test('takes caches first, then trees that are merged in any way; never links, never what has work', () => onStage(async (stage) => {
    for (const branch of ['merged', 'squashed', 'picked', 'open', 'fresh']) await stage.make(branch);
    for (const branch of ['merged', 'squashed', 'picked', 'open']) {
      await stage.inside(branch, 'sh', '-c', `echo ${branch} >${branch}.txt && git add . && git commit --quiet -m ${branch} && echo more >>${branch}.txt && git commit --quiet -am more && git push --quiet`);
    }
    const other = join(stage.folder, 'other');
    git(stage.folder, 'clone', '--quiet', stage.origin, other);
    git(other, 'merge', '--quiet', '--no-ff', '--message', 'merge', 'origin/merged');
    git(other, 'merge', '--quiet', '--squash', 'origin/squashed');
    git(other, 'commit', '--quiet', '--message', 'squash');
    git(other, 'cherry-pick', 'origin/picked~1', 'origin/picked');
    git(other, 'push', '--quiet', 'origin', 'main', ':squashed');
    const open = join(stage.folder, 'shop.worktrees', 'open');
    write(join(open, 'node_modules', 'x', 'index.js'), 'x'.repeat(10_000));
    write(join(open, 'packages', 'a', 'node_modules', 'y.js'), '');
    write(join(open, 'packages', 'a', 'kept.txt'), '');
    write(join(open, 'target', 'not-ignored'), '');
    symlinkSync(join(stage.primary, 'node_modules'), join(stage.folder, 'shop.worktrees', 'fresh', 'node_modules'));
    const before = fingerprint(stage.primary);
    const planned = await collect(stage, true);
    assert.ok(existsSync(join(open, 'node_modules')), 'a dry run removes nothing');
    const done = await collect(stage, false);
    const short = (list: typeof done): unknown => list.map((one) => [one.kind, one.dir.replace(`${stage.folder}/shop.worktrees/`, ''), one.why.replace(/ file \(.*/, ' file')]);
    assert.deepEqual(short(done), short(planned));
    assert.deepEqual(short(done), [
      ['cache', 'open/node_modules', 'can be made again'], ['cache', 'open/packages/a/node_modules', 'can be made again'],
      ['tree', 'merged', 'merged into origin/main'], ['tree', 'picked', 'its commits are in origin/main'], ['tree', 'squashed', 'squash-merged into origin/main'],
      ['kept', 'fresh', 'not merged; 1 untracked file'], ['kept', 'open', 'not merged; 2 untracked files (packages/a/kept.txt, target/not-ignored)'],
    ]);
    assert.ok((done[0]?.bytes ?? 0) >= 10_000);
    assert.deepEqual([existsSync(join(open, 'node_modules')), existsSync(join(open, 'target')), existsSync(join(stage.primary, 'node_modules', 'own.js'))], [false, true, true]);
    assert.deepEqual(git(stage.primary, 'branch', '--format=%(refname:short)').split('\n'), ['fresh', 'main', 'open']);
    assert.equal(fingerprint(stage.primary), before);
  }, { setUp: (primary) => {
    mkdirSync(join(primary, 'node_modules'));
    writeFileSync(join(primary, 'node_modules', 'own.js'), '');
  } }));
});
