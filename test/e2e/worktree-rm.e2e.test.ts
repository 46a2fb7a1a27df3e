// `leoflow worktree rm` and `gc` on real git: nothing is lost, what is saved can be had back, links are never followed, the primary checkout stays as it is.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { collectGarbage } from '#devloop/worktree/collect-garbage.ts';
import { examineTree } from '#devloop/worktree/examine-tree.ts';
import { beginRemoval } from '#devloop/worktree/removal.ts';
import { findTree, openRepository } from '#devloop/worktree/repository.ts';
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

/** Files that somebody saved by name in the rescue. */
function saved(folder: string | undefined, ...path: string[]): string {
  return readFileSync(join(folder ?? 'nothing was saved', ...path), 'utf8');
}

describe('what rm could lose', () => {
  test('what is staged only: a file that is gone again, and one that was put back', () => onStage(async (stage) => {
    const { dir } = await stage.make('staged');
    write(join(dir, 'n'), 'p\n');
    write(join(dir, 'a.txt'), 'staged\n');
    git(dir, 'add', '.');
    rmSync(join(dir, 'n'));
    write(join(dir, 'a.txt'), 'one\n');
    const { rescued } = await stage.remove('staged', { force: true });
    git(stage.primary, 'apply', '--index', join(rescued?.folder ?? '', 'staged.patch'));
    assert.deepEqual([readFileSync(join(stage.primary, 'n'), 'utf8'), readFileSync(join(stage.primary, 'a.txt'), 'utf8')], ['p\n', 'staged\n']);
  }));

  test('edits in copied folders, and links that became files', () => onStage(async (stage) => {
    const { dir } = await stage.make('copied');
    await stage.make('untouched');
    write(join(dir, 'data', 'fix', 'a'), 'edited');
    write(join(dir, 'data', 'fix', 'b'), 'new');
    rmSync(join(dir, '.env'));
    write(join(dir, '.env'), 'A=2\n');
    assert.deepEqual(await reasonsOf(stage, 'copied'), ['2 copied files (.env, data/fix) changed since']);
    const { rescued } = await stage.remove('copied', { force: true });
    assert.deepEqual([['data', 'fix', 'a'], ['data', 'fix', 'b'], ['.env']].map((path) => saved(rescued?.folder, 'files', ...path)), ['edited', 'new', 'A=2\n']);
    assert.equal((await stage.remove('untouched')).rescued, null);
    assert.equal(readFileSync(join(stage.primary, '.env'), 'utf8'), 'A=1\n');
  }, { setUp: (primary) => {
    write(join(primary, '.leoflow', 'worktree.yaml'), 'link: [.env]\ncopy: [data/fix]\n');
    write(join(primary, 'data', 'fix', 'a'), '1');
    write(join(primary, '.env'), 'A=1\n');
    write(join(primary, '.gitignore'), 'data/\n.env\n');
  } }));

  test('what set-up made in a copied folder is no work; what somebody did before it ran again is', () => onStage(async (stage) => {
    const approve = (): Promise<boolean> => Promise.resolve(true);
    const { dir } = await stage.make('set-up', { approve });
    await stage.make('set-up-2', { approve });
    write(join(dir, 'data', 'mine'), 'work');
    await stage.make('set-up', { approve });
    assert.deepEqual(await reasonsOf(stage, 'set-up'), ['1 copied file (data) changed since']);
    assert.equal((await stage.remove('set-up-2')).rescued, null);
  }, { setUp: (primary) => {
    write(join(primary, '.leoflow', 'worktree.yaml'), 'copy: [data]\nsetup: ["date >>data/made"]\n');
    write(join(primary, 'data', 'a'), '1');
    write(join(primary, '.gitignore'), 'data/\n');
  } }));

  test('stashes and commits that only the reflog knows, of submodules and of those inside them', () => onStage(async (stage) => {
    const [inner, outer] = [join(stage.folder, 'inner.git'), join(stage.folder, 'outer')];
    git(stage.folder, 'clone', '--quiet', '--bare', stage.origin, inner);
    git(stage.folder, 'clone', '--quiet', stage.origin, outer);
    git(outer, 'submodule', '--quiet', 'add', inner, 'deep');
    git(outer, 'commit', '--quiet', '--all', '--message', 'deep');
    git(stage.primary, 'submodule', '--quiet', 'add', outer, 'lib');
    git(stage.primary, 'submodule', '--quiet', 'update', '--init', '--recursive');
    git(stage.primary, 'commit', '--quiet', '--all', '--message', 'with submodules');
    git(stage.primary, 'push', '--quiet', 'origin', 'main');
    const { dir } = await stage.make('subs');
    await stage.make('plain');
    const lib = join(dir, 'lib');
    write(join(lib, 'a.txt'), 'stashed\n');
    git(lib, 'stash');
    write(join(lib, 'deep', 'a.txt'), 'amended away\n');
    git(join(lib, 'deep'), 'commit', '--quiet', '--all', '--message', 'lost');
    const lost = git(join(lib, 'deep'), 'rev-parse', 'HEAD');
    git(join(lib, 'deep'), 'reset', '--quiet', '--hard', 'HEAD~1');
    assert.deepEqual(await reasonsOf(stage, 'subs'), ['commits of 1 submodule (lib/deep) on no remote', 'stash entries in 1 submodule (lib)']);
    const { rescued } = await stage.remove('subs', { force: true });
    const repositories = join(rescued?.folder ?? '', 'submodule-repositories');
    assert.match(program('git', ['--git-dir', join(repositories, 'lib'), 'stash', 'list'], { cwd: stage.folder }).out, /WIP on/);
    assert.equal(program('git', ['--git-dir', join(repositories, 'lib', 'modules', 'deep'), 'cat-file', '-t', lost], { cwd: stage.folder }).out, 'commit\n');
    assert.equal((await stage.remove('plain')).rescued, null);
  }));

  test('a change that a stopped rebase put aside', () => onStage(async (stage) => {
    const { dir } = await stage.make('aside');
    git(dir, 'config', '--global', 'merge.autoStash', 'true');
    assert.equal((await stage.inside('aside', 'git', 'config', 'merge.autoStash')).out, 'false\n', 'nothing is put aside without being asked');
    await commit(stage, 'aside', 'ours');
    write(join(stage.primary, 'a.txt'), 'theirs\n');
    git(stage.primary, 'commit', '--quiet', '--all', '--message', 'theirs');
    write(join(dir, 'other.txt'), 'put aside\n');
    assert.notEqual((await stage.inside('aside', 'git', 'rebase', '--autostash', 'main')).code, 0);
    assert.equal(readFileSync(join(dir, 'other.txt'), 'utf8'), 'other\n');
    const { rescued } = await stage.remove(dir, { force: true });
    git(stage.primary, 'fetch', '--quiet', join(rescued?.folder ?? '', 'commits.bundle'), '+refs/*:refs/rescued/*');
    const tips = git(stage.primary, 'for-each-ref', '--format=%(objectname)', 'refs/rescued').split('\n');
    assert.ok(tips.some((id) => program('git', ['show', `${id}:other.txt`], { cwd: stage.primary }).out === 'put aside\n'));
  }, { setUp: (primary) => write(join(primary, 'other.txt'), 'other\n') }));

  test('a tree or a repository inside it refuses, by force too, until it is gone', () => onStage(async (stage) => {
    const { dir } = await stage.make('outer');
    git(dir, 'worktree', 'add', '--quiet', join(dir, '.claude', 'worktrees', 'x'), '-b', 'x');
    git(dir, 'init', '--quiet', join(dir, '.claude', 'scratch'));
    git(dir, 'init', '--quiet', '--bare', join(dir, '.claude', 'bare'));
    const said = ['3 repositories (.claude/bare, .claude/scratch, .claude/worktrees/x) inside it'];
    assert.deepEqual(await reasonsOf(stage, 'outer'), said);
    await assert.rejects(stage.remove('outer', { force: true }), /inside it/);
    await stage.remove('x');
    for (const name of ['bare', 'scratch']) rmSync(join(dir, '.claude', name), { recursive: true });
    await stage.remove('outer');
    assert.ok(!existsSync(dir));
  }, { setUp: (primary) => writeFileSync(join(primary, '.gitignore'), '.claude/\n') }));

  test('edits that git is told to overlook, and commits of refs that only this tree has', () => onStage(async (stage) => {
    const { dir } = await stage.make('hidden');
    await stage.make('marked');
    for (const branch of ['hidden', 'marked']) {
      git(join(dir, '..', branch), 'update-index', '--assume-unchanged', 'a.txt');
      git(join(dir, '..', branch), 'update-index', '--skip-worktree', 'other.txt', 'third.txt');
    }
    write(join(dir, 'a.txt'), 'edited\n');
    write(join(dir, 'other.txt'), 'edited too\n');
    const kept = git(dir, 'commit-tree', '-p', 'HEAD', '-m', 'kept', 'HEAD^{tree}');
    git(dir, 'update-ref', 'refs/worktree/kept', kept);
    git(dir, 'update-ref', 'refs/bisect/bad', git(dir, 'commit-tree', '-p', kept, '-m', 'bad', 'HEAD^{tree}'));
    assert.deepEqual(await reasonsOf(stage, 'hidden'), ['2 changed files (a.txt, other.txt) marked to be overlooked']);
    const { rescued } = await stage.remove('hidden', { force: true });
    assert.deepEqual([saved(rescued?.folder, 'files', 'a.txt'), saved(rescued?.folder, 'files', 'other.txt')], ['edited\n', 'edited too\n']);
    assert.match(git(stage.primary, 'bundle', 'list-heads', join(rescued?.folder ?? '', 'commits.bundle')), new RegExp(kept));
    assert.equal((await stage.remove('marked')).rescued, null);
  }, { setUp: (primary) => {
    write(join(primary, 'other.txt'), 'other\n');
    write(join(primary, 'third.txt'), 'third\n');
  } }));

  test('a name that is no UTF-8, with a temporary folder that is gone', () => onStage(async (stage) => {
    const { dir } = await stage.make('bytes');
    const name = Buffer.from([0x66, 0xfc, 0x72]);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), 'latin');
    mkdirSync(join(dir, 'folder'));
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/folder/`), name]), 'below');
    write(join(dir, 'a.txt'), 'changed\n');
    process.env['TMPDIR'] = join(stage.folder, 'gone');
    const { rescued } = await stage.remove('bytes', { force: true });
    const folder = Buffer.from(join(rescued?.folder ?? '', 'files/'));
    assert.deepEqual([[name], [Buffer.from('folder/'), name]].map((path) => readFileSync(Buffer.concat([folder, ...path]), 'utf8')), ['latin', 'below']);
  }));

  test('where nothing can be saved nothing is removed, and the next step is said', () => onStage(async (stage) => {
    const { dir } = await stage.make('unsaved');
    write(join(dir, 'new.txt'), '');
    write(join(process.env['HOME'] ?? '', '.local', 'state', 'leoflow', 'rescued'), 'in the way');
    await assert.rejects(stage.remove('unsaved', { force: true }), (error: Refusal & { hint: string }) => error.code === 'file_unreadable' && /Nothing was removed/.test(error.hint));
    assert.ok(existsSync(join(dir, 'new.txt')));
  }));
});

describe('a removal that was killed', () => {
  test('is ended by the next one, with what it had saved; new says so; said before anything goes', () => onStage(async (stage) => {
    const { dir } = await stage.make('half');
    const [repository, rescued] = [await openRepository(stage.primary), { folder: '/saved', lines: ['a line'] }];
    const tree = findTree(repository, 'half', stage.primary);
    const { aside } = await beginRemoval(tree, await examineTree(repository, tree, null), { deletesBranch: true, rescued, notes: [] });
    rmSync(join(aside, '.git'));
    await assert.rejects(stage.make('half'), /the removal of .* was cut short/);
    const removed = await stage.remove('half');
    assert.deepEqual([removed.rescued, existsSync(aside), existsSync(dir), git(stage.primary, 'branch', '--list', 'half'), git(stage.primary, 'worktree', 'list').split('\n').length], [rescued, false, false, '', 1]);
    const again = await stage.make('half');
    write(join(again.dir, 'new.txt'), 'new');
    const heard: string[] = [];
    await stage.remove('half', { force: true, say: (text) => heard.push(`${text.trim()} ${existsSync(again.dir)}`) });
    assert.match(heard.join(), /^saved in .*rescued.* true$/);
  }));

  test('before the last look it gives the folder back, and begins anew', () => onStage(async (stage) => {
    const { dir } = await stage.make('early');
    write(join(dir, 'new.txt'), '');
    const aside = `${dir}.aside`;
    write(join(stage.primary, '.git', 'worktrees', 'early', 'leoflow', 'removing.json'), JSON.stringify({ aside, isDecided: false, deletesBranch: false, rescued: null, notes: [] }));
    renameSync(dir, aside);
    assert.deepEqual(await reasonsOf(stage, 'early'), ['1 untracked file (new.txt)']);
    assert.ok(existsSync(join(dir, 'new.txt')));
  }));

  test('what comes in the last moment stops it', () => onStage(async (stage) => {
    const { dir } = await stage.make('late');
    const repository = await openRepository(stage.primary);
    const tree = findTree(repository, 'late', stage.primary);
    const facts = await examineTree(repository, tree, null);
    write(join(dir, 'late.txt'), '');
    await assert.rejects(beginRemoval(tree, facts, { deletesBranch: false, rescued: null, notes: [] }), /was changed while it was being removed/);
    assert.ok(existsSync(join(dir, 'late.txt')));
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
