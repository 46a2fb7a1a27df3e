// What holds inside a tree on real git: stash, push, branches, identity, ignored links and the repository's own hooks; and nothing of it outside.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fingerprint, git, onStage, program, type Stage, write } from '../support/worktrees.ts';

/** A commit on the tree's branch. */
async function commit(stage: Stage, branch: string, text: string): Promise<void> {
  const { code, err } = await stage.inside(branch, 'sh', '-c', `echo '${text}' >>a.txt && git commit --quiet --all --message '${text}'`);
  assert.equal(code, 0, err);
}

describe('the stash', () => {
  test('is refused in a tree, with the files as they were; the primary stashes freely, and keeps what it has', () => onStage(async (stage) => {
    const { dir } = await stage.make('s');
    write(join(dir, 'a.txt'), 'mine\n');
    const refused = await stage.inside('s', 'git', 'stash');
    assert.notEqual(refused.code, 0);
    assert.match(refused.err, /the stash is shared by all working trees.*\n.*git commit -m wip/);
    assert.equal(readFileSync(join(dir, 'a.txt'), 'utf8'), 'mine\n');
    assert.equal(git(stage.primary, 'stash', 'list'), '');
    for (const text of ['older', 'newer']) {
      write(join(stage.primary, 'a.txt'), `${text}\n`);
      git(stage.primary, 'stash');
    }
    const before = fingerprint(stage.primary);
    for (const [command, ...args] of [['stash', 'pop'], ['stash', 'drop', 'stash@{1}'], ['-c', 'a.b=c', 'stash', 'drop'], ['stash', 'clear'], ['stash', 'push'], ['stash', '--quiet', 'drop']] as const) {
      assert.notEqual((await stage.inside('s', 'git', command, ...args)).code, 0, [command, ...args].join(' '));
    }
    assert.equal(git(stage.primary, 'stash', 'list').split('\n').length, 2);
    assert.equal(fingerprint(stage.primary), before);
    assert.match((await stage.inside('s', 'git', 'stash', 'list')).out, /stash@\{1\}/, 'looking is free');
    assert.equal((await stage.inside('s', 'git', '-C', stage.primary, 'stash', 'drop')).code, 0, 'the primary itself may be reached from the tree’s shell');
  }));

  test('settings do not leave the tree: another repository entered from its shell knows nothing of them', () => onStage(async (stage) => {
    await stage.make('s', { identity: { name: 'Ada', email: 'ada@example.org' } });
    const other = join(stage.folder, 'other');
    git(stage.folder, 'clone', '--quiet', stage.origin, other);
    write(join(other, 'a.txt'), 'two\n');
    assert.equal((await stage.inside('s', 'git', '-C', other, 'stash')).code, 0);
    assert.equal((await stage.inside('s', 'git', '-C', other, 'config', 'user.name')).out.trim(), 'Primary');
    assert.equal((await stage.inside('s', 'git', '-C', stage.primary, 'config', 'user.name')).out.trim(), 'Primary');
  }));
});

describe('a push', () => {
  test('takes the tree’s own branch to the same name, forward only; the first one needs no setting', () => onStage(async (stage) => {
    await stage.make('feature/p');
    const before = fingerprint(stage.primary);
    await commit(stage, 'feature/p', 'two');
    assert.doesNotMatch((await stage.inside('feature/p', 'git', 'status')).out, /gone/);
    assert.equal((await stage.inside('feature/p', 'git', 'push')).code, 0);
    assert.match((await stage.inside('feature/p', 'git', 'status')).out, /up to date with 'origin\/feature\/p'/);
    const pushed = stage.remote();
    await commit(stage, 'feature/p', 'three');
    git(stage.primary, 'tag', 'v1');
    git(stage.primary, 'branch', 'extra', 'main');
    const refusals: readonly (readonly string[])[] = [
      ['origin', 'HEAD:main'], ['origin', 'feature/p:refs/heads/other'], ['--tags'], ['origin', 'v1'], ['origin', '--delete', 'feature/p'], ['origin', ':main'], ['--all'], ['--mirror'], ['--mirr', 'origin'], ['--prune', 'origin', 'refs/heads/feature/*:refs/heads/*'], ['origin', 'HEAD^{}:refs/heads/feature/p'],
      [join(stage.folder, 'elsewhere.git')], ['--force', 'origin', 'main:feature/p'], ['origin', '+HEAD:refs/heads/main'],
    ];
    git(stage.folder, 'init', '--quiet', '--bare', join(stage.folder, 'elsewhere.git'));
    for (const args of refusals) {
      const { code, err } = await stage.inside('feature/p', 'git', 'push', ...args);
      assert.notEqual(code, 0, args.join(' '));
      assert.match(err, /leoflow: refused to push|rejected/, args.join(' '));
      assert.equal(stage.remote(), pushed, args.join(' '));
    }
    assert.equal(stage.remote(), pushed);
    git(stage.primary, 'tag', '--delete', 'v1');
    assert.equal((await stage.inside('feature/p', 'git', 'push', 'origin', 'HEAD')).code, 0);
    await stage.inside('feature/p', 'git', 'commit', '--amend', '--quiet', '--message', 'rewritten');
    assert.match((await stage.inside('feature/p', 'git', 'push', '--force')).err, /has commits that yours has not/);
    assert.equal(fingerprint(stage.primary), before);
  }));

  test('takes more where the repository allows it; a hook skipped by --no-verify still leaves the plain push pinned', () => onStage(async (stage) => {
    await stage.make('allowed');
    await commit(stage, 'allowed', 'two');
    await stage.inside('allowed', 'git', 'tag', 'release-1');
    assert.equal((await stage.inside('allowed', 'git', 'push', 'origin', 'release-1')).code, 0);
    assert.notEqual((await stage.inside('allowed', 'git', 'push', 'origin', 'HEAD:refs/tags/other')).code, 0);
    await stage.inside('allowed', 'git', 'push');
    await stage.inside('allowed', 'git', 'commit', '--amend', '--quiet', '--message', 'rewritten');
    assert.equal((await stage.inside('allowed', 'git', 'push', '--force-with-lease')).code, 0, 'push.force: the own branch may be rewritten');
    await commit(stage, 'allowed', 'three');
    const main = git(stage.origin, 'rev-parse', 'main');
    assert.equal((await stage.inside('allowed', 'git', 'push', '--no-verify')).code, 0);
    assert.equal(git(stage.origin, 'rev-parse', 'main'), main);
  }, { setUp: (primary) => write(join(primary, '.leoflow', 'worktree.yaml'), 'push: {allow: ["refs/tags/release-*"], force: true}\n') }));
});

describe('branches', () => {
  test('one whose commits nothing else holds is not deleted from a tree; others are', () => onStage(async (stage) => {
    await stage.make('b');
    git(stage.primary, 'branch', 'same', 'main');
    const own = git(stage.primary, 'commit-tree', '-p', 'main', '-m', 'only here', 'main^{tree}');
    git(stage.primary, 'branch', 'precious', own);
    assert.equal((await stage.inside('b', 'git', 'branch', '-D', 'same')).code, 0);
    assert.match((await stage.inside('b', 'git', 'branch', '-D', 'precious')).err, /no other branch, tag or remote holds/);
    assert.match((await stage.inside('b', 'git', 'branch', '-D', 'main')).err, /checked out at|used by worktree/);
    assert.match((await stage.inside('b', 'git', 'checkout', 'main')).err, /already (checked out|used by)/);
    assert.equal(git(stage.primary, 'rev-parse', 'precious'), own);
  }));
});

describe('who commits', () => {
  test('is the tree’s own identity, by environment; the shared settings are not touched, signing neither', () => onStage(async (stage) => {
    const before = fingerprint(stage.primary);
    await stage.make('id', { identity: { name: 'Ada L', email: 'ada@example.org' } });
    await commit(stage, 'id', 'two');
    assert.equal(git(stage.primary, 'log', '-1', '--format=%an <%ae> %cn', 'id'), 'Ada L <ada@example.org> Ada L');
    assert.equal((await stage.inside('id', 'git', 'config', 'commit.gpgSign')).out.trim(), 'false');
    assert.equal(git(stage.primary, 'config', 'user.name'), 'Primary');
    assert.equal(fingerprint(stage.primary), before);
  }, { setUp: (primary) => write(join(primary, '.leoflow', 'worktree.yaml'), 'identity: {sign: false}\n') }));

  test('with --persist it holds without the environment; what then changes in the shared settings is said, and a bare repository stays one', () => onStage(async (stage) => {
    const made = await stage.make('kept', { persists: true, identity: { name: 'Ada', email: 'ada@example.org' } });
    assert.match(made.notes.join(), /was changed, which all trees share: extensions.worktreeConfig/);
    assert.equal(git(made.dir, 'config', 'user.name'), 'Ada');
    write(join(made.dir, 'a.txt'), 'x\n');
    assert.notEqual(program('git', ['stash'], { cwd: made.dir }).code, 0);
    assert.equal(git(stage.primary, 'config', 'user.name'), 'Primary');
    write(join(stage.primary, 'a.txt'), 'y\n');
    assert.equal(git(stage.primary, 'stash').includes('Saved'), true);
    const bare = join(stage.folder, 'bare.git');
    git(stage.folder, 'clone', '--quiet', '--bare', stage.origin, bare);
    const second = await stage.make('kept', { cwd: bare, persists: true });
    assert.equal(git(second.dir, 'rev-parse', '--is-inside-work-tree'), 'true');
    assert.equal(git(bare, 'rev-parse', '--is-bare-repository'), 'true');
  }));
});

describe('the repository’s own hooks', () => {
  const HOOK = '#!/bin/sh\n{ echo "$0 $*"; cat; } >>"$HOOK_LOG"\nexit "${HOOK_EXIT:-0}"\n';
  const NAMES = ['pre-commit', 'commit-msg', 'post-commit', 'pre-push', 'reference-transaction', 'post-checkout'];

  async function check(stage: Stage, folder: string): Promise<void> {
    await stage.make('h', { base: 'main', fetches: false });
    const log = join(stage.folder, 'hooks.txt');
    process.env['HOOK_LOG'] = log;
    await commit(stage, 'h', 'two');
    const pushed = await stage.inside('h', 'git', 'push');
    assert.equal(pushed.code, 0, pushed.err);
    const text = readFileSync(log, 'utf8');
    assert.match(text, new RegExp(`${folder}/pre-commit \n`));
    assert.match(text, new RegExp(`${folder}/commit-msg .*COMMIT_EDITMSG`));
    assert.match(text, new RegExp(`${folder}/reference-transaction prepared\n[0-9a-f]+ [0-9a-f]+ (HEAD|refs/heads/h)\n`), 'standard input is handed on');
    assert.match(text, new RegExp(`${folder}/pre-push origin .*origin.git\nrefs/heads/h [0-9a-f]+ refs/heads/h 0+\n`));
    assert.equal(text.match(/pre-commit/g)?.length, 1);
    process.env['HOOK_EXIT'] = '9';
    assert.notEqual((await stage.inside('h', 'sh', '-c', 'echo x >>a.txt && git commit --all --message refused')).code, 0, 'its exit code is honoured');
    delete process.env['HOOK_EXIT'];
    delete process.env['HOOK_LOG'];
  }

  test('in the common folder are run, with arguments, standard input and exit code', () => onStage(async (stage) => check(stage, `${stage.primary}/.git/hooks`), {
    setUp: (primary) => NAMES.filter((name) => name !== 'post-checkout').forEach((name) => writeFileSync(join(primary, '.git', 'hooks', name), HOOK.replace('"$HOOK_LOG"', '"${HOOK_LOG:-/dev/null}"'), { mode: 0o755 })),
  }));

  test('in a folder of the tree (husky) and in an absolute folder are run too, and a change of that setting is followed', () => onStage(async (stage) => {
    git(stage.primary, 'config', 'core.hooksPath', '.husky/_');
    await check(stage, '.husky/_');
    const absolute = join(stage.folder, 'hooks elsewhere');
    write(join(absolute, 'pre-commit'), '');
    writeFileSync(join(absolute, 'pre-commit'), `#!/bin/sh\necho elsewhere >'${stage.folder}/said.txt'\n`, { mode: 0o755 });
    rmSync(join(absolute, 'pre-commit'));
    writeFileSync(join(absolute, 'pre-commit'), `#!/bin/sh\necho elsewhere >'${stage.folder}/said.txt'\n`, { mode: 0o755 });
    git(stage.primary, 'config', 'core.hooksPath', absolute);
    await commit(stage, 'h', 'three');
    assert.equal(readFileSync(join(stage.folder, 'said.txt'), 'utf8'), 'elsewhere\n');
  }, {
    setUp: (primary) => {
      for (const name of NAMES.filter((one) => one !== 'post-checkout')) write(join(primary, '.husky', '_', name), HOOK.replace('"$HOOK_LOG"', '"${HOOK_LOG:-/dev/null}"'));
      program('sh', ['-c', 'chmod +x .husky/_/*'], { cwd: primary });
    },
  }));

  test('a hook that is not executable is left out, as git does', () => onStage(async (stage) => {
    await stage.make('h');
    await commit(stage, 'h', 'two');
  }, { setUp: (primary) => writeFileSync(join(primary, '.git', 'hooks', 'pre-commit'), '#!/bin/sh\nexit 1\n', { mode: 0o644 }) }));
});

describe('ignored files', () => {
  test('the user’s own list still holds, and a change of it is followed', () => onStage(async (stage) => {
    const own = join(process.env['HOME'] ?? '', 'my ignores');
    writeFileSync(own, '*.mine\n');
    git(stage.primary, 'config', '--global', 'core.excludesFile', own);
    const { dir } = await stage.make('i');
    for (const name of ['x.mine', 'x.later']) write(join(dir, name), '');
    assert.equal((await stage.inside('i', 'git', 'status', '--porcelain')).out, '?? x.later\n');
    appendFileSync(own, '*.later\n');
    assert.equal((await stage.inside('i', 'git', 'status', '--porcelain')).out, '');
  }));

  test('entering a tree keeps what GIT_CONFIG_COUNT holds already', () => onStage(async (stage) => {
    await stage.make('e');
    Object.assign(process.env, { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.name', GIT_CONFIG_VALUE_0: 'By environment' });
    assert.equal((await stage.inside('e', 'git', 'config', 'user.name')).out.trim(), 'By environment');
    assert.match((await stage.inside('e', 'git', 'config', 'core.hooksPath')).out, /leoflow\/hooks/);
    assert.ok(existsSync(stage.primary));
  }));
});
