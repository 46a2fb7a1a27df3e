// `leoflow worktree new` on real git: where a tree begins, what is put into it, what is refused, and that the primary checkout stays as it is.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, promises, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { explained } from '#devloop/worktree/system-errors.ts';
import { fingerprint, git, onStage, program, type Stage, write } from '../support/worktrees.ts';

/** The working tree and git directory of the primary are the same afterwards. */
function unchanged(name: string, work: (stage: Stage) => Promise<void>, setUp?: (primary: string) => void): void {
  test(name, () => onStage(async (stage) => {
    const before = fingerprint(stage.primary);
    await work(stage);
    assert.equal(fingerprint(stage.primary), before, 'the primary checkout was changed');
  }, setUp === undefined ? {} : { setUp }));
}

/** Somebody else pushes a commit to a branch of the remote. @returns its id */
function pushElsewhere({ folder, origin }: Stage, branch: string): string {
  const other = join(folder, 'other');
  if (!existsSync(other)) git(folder, 'clone', '--quiet', origin, other);
  git(other, 'switch', '--quiet', '-C', branch);
  write(join(other, 'theirs.txt'), `${branch}\n`);
  git(other, 'add', '.');
  git(other, 'commit', '--quiet', '-m', `theirs on ${branch}`);
  git(other, 'push', '--quiet', '--force', 'origin', branch);
  return git(other, 'rev-parse', 'HEAD');
}

/** The file that says that a tree is being made in a folder. */
function markOf({ primary }: Stage, dir: string): string {
  return join(primary, '.git', 'leoflow', 'making', createHash('sha256').update(dir).digest('hex').slice(0, 16));
}

const refused = (pattern: RegExp, code = 'worktree_refused') => (error: Error & { code?: string; hint?: string }): true => {
  assert.equal(error.code, code, error.stack);
  assert.match(`${error.message} → ${error.hint ?? ''}`, pattern);
  return true;
};

describe('where a tree begins', () => {
  unchanged('a new branch from the default branch as it is on the remote now, not from a stale main', async (stage) => {
    const fresh = pushElsewhere(stage, 'main');
    const made = await stage.make('feature/x');
    assert.equal(made.kind, 'created');
    assert.equal(made.dir, join(stage.folder, 'shop.worktrees', 'feature-x'));
    assert.equal(git(made.dir, 'rev-parse', 'HEAD'), fresh);
    assert.equal(git(made.dir, 'symbolic-ref', 'HEAD'), 'refs/heads/feature/x');
    assert.notEqual(git(stage.primary, 'rev-parse', 'main'), fresh);
  });

  unchanged('a local branch is attached with its commits; what only the remote has is tracked; pull requests are fetched', async (stage) => {
    git(stage.primary, 'branch', 'mine');
    const theirs = pushElsewhere(stage, 'theirs');
    git(stage.origin, 'update-ref', 'refs/pull/7/head', pushElsewhere(stage, 'from-a-fork'));
    git(stage.origin, 'update-ref', 'refs/merge-requests/8/head', theirs);
    assert.equal((await stage.make('mine')).kind, 'attached');
    const tracked = await stage.make('theirs');
    assert.deepEqual([tracked.kind, git(tracked.dir, 'rev-parse', 'HEAD')], ['tracked', theirs]);
    assert.equal((await stage.inside('theirs', 'git', 'rev-parse', '--abbrev-ref', '@{upstream}')).out.trim(), 'origin/theirs', 'by environment, not by the shared settings');
    assert.equal(git((await stage.make('review', { base: 'pr:7' })).dir, 'log', '-1', '--format=%s'), 'theirs on from-a-fork');
    assert.equal(git((await stage.make('review-8', { base: 'pr:8' })).dir, 'rev-parse', 'HEAD'), theirs);
    await assert.rejects(stage.make('review-9', { base: 'pr:9' }), refused(/no pull or merge request 9/, 'not_found'));
  });

  unchanged('a base of another name is taken fresh from the remote; what a stale local branch has beside it is said', async (stage) => {
    const fresh = pushElsewhere(stage, 'release');
    git(stage.primary, 'branch', 'release', 'main');
    git(stage.primary, 'update-ref', 'refs/heads/release', git(stage.primary, 'commit-tree', '-p', 'main', '-m', 'own', 'main^{tree}'));
    const made = await stage.make('hotfix', { base: 'release' });
    assert.equal(git(made.dir, 'rev-parse', 'HEAD'), fresh);
    assert.match(made.notes.join(), /your local release has 1 commits/);
    assert.equal(git((await stage.make('old', { base: 'main~0' })).dir, 'rev-parse', 'HEAD'), git(stage.primary, 'rev-parse', 'main'));
    await assert.rejects(stage.make('never', { base: 'no-such-ref' }), refused(/there is no no-such-ref/, 'not_found'));
    assert.equal(git(stage.primary, 'branch', '--list', 'never'), '');
  });

  unchanged('without the remote the error names the way out, and the way out works', async (stage) => {
    renameSync(stage.origin, `${stage.origin}.away`);
    await assert.rejects(stage.make('offline'), refused(/origin does not answer.*--no-fetch/s, 'remote_unreachable'));
    assert.equal((await stage.make('offline', { fetches: false })).kind, 'created');
    renameSync(`${stage.origin}.away`, stage.origin);
  });

  unchanged('names that are no branch, folders inside the checkout, branches in use and folders in use are refused', async (stage) => {
    for (const name of ['-dash', 'a b', 'a..b', 'HEAD', '@{-1}']) await assert.rejects(stage.make(name), refused(/no name for a branch/, 'usage'), name);
    await assert.rejects(stage.make('x', { dir: 'sub/x' }), refused(/lies inside the working tree/));
    await assert.rejects(stage.make('x', { dir: '.git/x' }), refused(/lies inside/));
    await assert.rejects(stage.make('main'), refused(/main is checked out in .*shop → Switch the primary/));
    const { dir } = await stage.make('taken');
    await assert.rejects(stage.make('taken', { dir: '../elsewhere' }), refused(new RegExp(`taken is checked out in ${dir.replace(/[.+]/g, '\\$&')}`)));
    await assert.rejects(stage.make('other', { dir }), refused(/is a working tree of taken/));
    mkdirSync(join(stage.folder, 'full'));
    writeFileSync(join(stage.folder, 'full', 'file'), '');
    await assert.rejects(stage.make('other', { dir: '../full' }), refused(/exists and is no working tree/));
    await assert.rejects(stage.make('inner', { dir: join(dir, 'inner') }), refused(/lies inside the working tree/));
    assert.deepEqual(git(stage.primary, 'branch', '--format=%(refname:short)').split('\n'), ['main', 'taken']);
  });

  unchanged('run again it brings the tree up to date; detached, or in the middle of a merge, it is refused', async (stage) => {
    const { dir, port } = await stage.make('again');
    rmSync(join(dir, '.venv'));
    const second = await stage.make('again');
    assert.deepEqual([second.kind, second.port, lstatSync(join(dir, '.venv')).isSymbolicLink()], ['reused', port, true]);
    writeFileSync(join(stage.primary, '.git', 'worktrees', 'again', 'MERGE_HEAD'), `${git(dir, 'rev-parse', 'HEAD')}\n`);
    await assert.rejects(stage.make('again'), refused(/in the middle of a merge/));
    rmSync(join(stage.primary, '.git', 'worktrees', 'again', 'MERGE_HEAD'));
    git(dir, 'switch', '--quiet', '--detach');
    await assert.rejects(stage.make('again', { dir }), refused(/without a branch \(detached HEAD\)/));
  }, (primary) => mkdirSync(join(primary, '.venv')));

  unchanged('a tree that git made is taken over', async (stage) => {
    git(stage.primary, 'worktree', 'add', '--quiet', '-b', 'by-git', '../by-git');
    const made = await stage.make('by-git', { dir: '../by-git' });
    assert.deepEqual([made.kind, made.dir], ['reused', join(stage.folder, 'by-git')]);
    assert.equal((await stage.inside('by-git', 'git', 'stash', 'list')).code, 0);
  });
});

describe('a repository of another user', () => {
  unchanged('is refused in git’s words, with the setting that trusts it', async (stage) => {
    process.env['GIT_TEST_ASSUME_DIFFERENT_OWNER'] = '1';
    await assert.rejects(stage.make('x'), refused(/dubious ownership.*safe\.directory/s, 'git_failed'));
    delete process.env['GIT_TEST_ASSUME_DIFFERENT_OWNER'];
  });
});

describe('what fails half-way', () => {
  unchanged('leaves no branch and no folder behind, and a retry works', async (stage) => {
    git(stage.primary, 'config', '--file', join(process.env['HOME'] ?? '', '.gitconfig'), 'filter.broken.smudge', 'false');
    git(stage.primary, 'config', '--file', join(process.env['HOME'] ?? '', '.gitconfig'), 'filter.broken.required', 'true');
    await assert.rejects(stage.make('half'), refused(/could not be made.*smudge filter broken failed/s, 'git_failed'));
    assert.equal(git(stage.primary, 'branch', '--list', 'half'), '');
    assert.ok(!existsSync(join(stage.folder, 'shop.worktrees')));
    assert.equal(git(stage.primary, 'worktree', 'list').split('\n').length, 1);
    git(stage.primary, 'config', '--file', join(process.env['HOME'] ?? '', '.gitconfig'), 'filter.broken.smudge', 'tr a-z A-Z');
    assert.equal(readFileSync(join((await stage.make('half')).dir, 'big.bin'), 'utf8'), 'CONTENT\n');
  }, (primary) => {
    write(join(primary, '.gitattributes'), '*.bin filter=broken\n');
    write(join(primary, 'big.bin'), 'content\n');
  });

  unchanged('a killed attempt is cleared away by the next one; one that still runs is not disturbed', async (stage) => {
    const { dir, base } = await stage.make('killed');
    const admin = join(stage.primary, '.git', 'worktrees', 'killed');
    // As `kill -9` in the middle of the checkout leaves it: git's lock, half of the files, our mark.
    rmSync(join(admin, 'leoflow'), { recursive: true });
    writeFileSync(join(admin, 'locked'), 'initializing');
    rmSync(join(dir, 'a.txt'));
    rmSync(join(admin, 'index'));
    const mark = markOf(stage, dir);
    write(mark, JSON.stringify({ pid: process.ppid, branch: 'killed', dir, created: base.commit }));
    await assert.rejects(stage.make('killed'), refused(/is being made by process/));
    write(mark, JSON.stringify({ pid: 2 ** 22 + 1, branch: 'killed', dir, created: base.commit }));
    const made = await stage.make('killed');
    assert.deepEqual([made.kind, existsSync(join(dir, 'a.txt')), existsSync(mark)], ['created', true, false]);
  });

  unchanged('a killed attempt in which somebody worked is kept: taken over when it is whole, else refused with words', async (stage) => {
    const { dir, base } = await stage.make('worked');
    const [admin, mark] = [join(stage.primary, '.git', 'worktrees', 'worked'), markOf(stage, dir)];
    const left = JSON.stringify({ pid: 2 ** 22 + 1, branch: 'worked', dir, created: base.commit });
    write(join(dir, 'day.txt'), 'work\n');
    git(dir, 'add', 'day.txt');
    git(dir, 'worktree', 'lock', dir);
    write(mark, left);
    assert.deepEqual([(await stage.make('worked')).kind, existsSync(mark), git(dir, 'diff', '--cached', '--name-only')], ['reused', false, 'day.txt']);
    writeFileSync(join(admin, 'locked'), 'initializing');
    write(mark, left);
    await assert.rejects(stage.make('worked'), refused(/left half-made.*day\.txt.*git worktree unlock/s));
    git(dir, 'rm', '--quiet', '--cached', 'day.txt');
    await assert.rejects(stage.make('worked'), refused(/left half-made.*day\.txt/s));
    rmSync(join(dir, 'day.txt'));
    rmSync(join(admin, 'index'));
    write(join(dir, 'a.txt'), 'two\n');
    await assert.rejects(stage.make('worked'), refused(/left half-made.*a\.txt/s));
    // As git leaves the file that it was just writing.
    write(join(dir, 'a.txt'), 'on');
    assert.deepEqual([(await stage.make('worked')).kind, readFileSync(join(dir, 'a.txt'), 'utf8')], ['created', 'one\n']);
  });

  unchanged('git that outlived a killed attempt is waited for', async (stage) => {
    const dir = join(stage.folder, 'shop.worktrees', 'orphan');
    write(markOf(stage, dir), JSON.stringify({ pid: 2 ** 22 + 1, branch: 'orphan', dir, created: null, git: { pid: process.ppid } }));
    await assert.rejects(stage.make('orphan'), refused(/git \(process \d+\) still fills .* outlived/));
    write(markOf(stage, dir), JSON.stringify({ pid: process.ppid, started: 'at another time', branch: 'orphan', dir, created: null, git: { pid: process.ppid, started: 'at another time' } }));
    assert.equal((await stage.make('orphan')).kind, 'created', 'another process has its number now');
  });

  unchanged('once the tree stands it stays, whatever fails after it', async (stage) => {
    const state = join(process.env['HOME'] ?? '', '.local', 'state', 'leoflow');
    write(join(state, 'approved-setup'), 'in the way');
    await assert.rejects(stage.make('stands', { approve: () => Promise.resolve(true) }), refused(/approved-setup.*The tree stands in .*leoflow worktree new stands/s, 'file_unreadable'));
    assert.equal(git(stage.primary, 'branch', '--list', 'stands', '--format=%(refname:short)'), 'stands');
    rmSync(join(state, 'approved-setup'));
    const made = await stage.make('stands', { approve: () => Promise.resolve(true) });
    assert.deepEqual([made.kind, made.setup], ['reused', 'done']);
  }, (primary) => write(join(primary, '.leoflow', 'worktree.yaml'), 'setup: ["echo day >day.txt"]\n'));

  unchanged('what the operating system refuses is said in words', async (stage) => {
    await assert.rejects(stage.make('b'.repeat(260)), refused(/name is too long.*shorter branch/s));
    const { notes } = await stage.make('below');
    assert.deepEqual(notes, ['template a.txt/x: a folder of its path is a file']);
    await assert.rejects(promises.writeFile('/dev/full', 'x').catch((error: unknown) => Promise.reject(explained(error, '/dev') as Error)), refused(/disk of \/dev is full.*Free some space/s, 'disk_full'));
  }, (primary) => {
    write(join(primary, '.leoflow', 'worktree.yaml'), 'template:\n  - {from: x.in, to: a.txt/x}\n');
    write(join(primary, 'x.in'), '');
  });

  unchanged('of two for one branch at the same moment one is refused, and takes nothing of the other’s', async (stage) => {
    const ended = await Promise.allSettled(['one', 'two', 'three'].map((name) => stage.make('same', { dir: `../${name}` })));
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.equal(made.length, 1, JSON.stringify(ended));
    assert.equal(git(made[0]?.dir ?? '', 'rev-parse', 'same'), git(stage.primary, 'rev-parse', 'main'));
    assert.equal(git(stage.primary, 'worktree', 'list').split('\n').length, 2);
  });

  unchanged('a hook post-checkout that fails is told and does not stop it', async (stage) => {
    const made = await stage.make('hooked');
    assert.match(made.notes.join(), /post-checkout ended with 3: not today/);
    assert.ok(existsSync(join(made.dir, 'a.txt')));
  }, (primary) => {
    writeFileSync(join(primary, '.git', 'hooks', 'post-checkout'), '#!/bin/sh\n[ -f .git ] || exit 0\necho not today >&2\nexit 3\n', { mode: 0o755 });
  });
});

describe('what is put into a tree', () => {
  unchanged('links to what is there by default: ignored although the pattern has a slash, and never followed', async (stage) => {
    const { dir, files, notes } = await stage.make('linked');
    assert.deepEqual(files.map((file) => [file.how, file.path]), [['link', '.venv'], ['link', '.venv_airflow'], ['link', '.env']]);
    assert.equal(readlinkSync(join(dir, '.venv')), join(stage.primary, '.venv'));
    assert.deepEqual(notes, []);
    assert.match(program('git', ['status', '--porcelain'], { cwd: dir }).out, /\.venv/, 'without our list git sees the link: the trap');
    assert.equal((await stage.inside('linked', 'git', 'status', '--porcelain')).out, '');
    await stage.inside('linked', 'git', 'add', '--all');
    assert.equal((await stage.inside('linked', 'git', 'diff', '--cached', '--name-only')).out, '');
    await stage.inside('linked', 'git', 'clean', '-ffdx');
    assert.ok(existsSync(join(stage.primary, '.venv', 'bin', 'python')));
  }, (primary) => {
    write(join(primary, '.venv', 'bin', 'python'), '');
    write(join(primary, '.venv_airflow', 'pyvenv.cfg'), '');
    write(join(primary, '.env'), 'A=1\n');
    writeFileSync(join(primary, '.gitignore'), '.venv*/\n.env\n');
  });

  unchanged('what .leoflow/worktree.yaml declares, with names and ports filled in, secrets closed, nested trees left out', async (stage) => {
    git(stage.primary, 'worktree', 'add', '--quiet', '-b', 'nested', join(stage.primary, 'data', 'nested'));
    const { dir, port, files, notes } = await stage.make('declared');
    assert.equal(readFileSync(join(dir, 'app.conf'), 'utf8'), `web=${port} admin=${(port ?? 0) + 1} branch=declared\n`);
    assert.equal(statSync(join(dir, 'key.pem')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(dir, 'data')), ['one']);
    assert.equal(readlinkSync(join(dir, 'models')), join(stage.primary, 'big'));
    assert.deepEqual(notes, ['link gone: there is none in ' + stage.primary, 'copy a.txt: git tracks it, so it was left alone', `setup was not run: its 1 commands are not approved; read them in .leoflow/worktree.yaml, then: leoflow worktree new declared --approve`]);
    assert.equal(files.find((file) => file.path === 'key.pem')?.how, 'secret');
    assert.equal((await stage.inside('declared', 'git', 'status', '--porcelain')).out, '');
    const variables = (await stage.inside('declared', 'env')).out;
    for (const line of [`PORT=${port}`, `PORT_WEB=${port}`, `PORT_ADMIN_API=${(port ?? 0) + 1}`]) assert.ok(variables.split('\n').includes(line), line);
    const approved = await stage.make('declared', { approve: () => Promise.resolve(true) });
    assert.deepEqual([approved.setup, readFileSync(join(dir, 'made-by-setup.log'), 'utf8')], ['done', 'declared\n']);
    assert.equal((await stage.make('second')).setup, 'done', 'approved once, until it changes');
    git(stage.primary, 'worktree', 'remove', '--force', join(stage.primary, 'data', 'nested'));
  }, (primary) => {
    write(join(primary, '.leoflow', 'worktree.yaml'), 'link: [gone, {from: big, to: models}]\ncopy: [a.txt, data]\nsecret: [key.pem]\ntemplate:\n  - {from: app.conf.in, to: app.conf}\nports: [web, admin-api]\nsetup:\n  - echo "$WORKTREE_BRANCH" >made-by-setup.log\n');
    write(join(primary, 'app.conf.in'), 'web={{ports.web}} admin={{ ports.admin-api }} branch={{branch}}\n');
    write(join(primary, 'key.pem'), 'secret');
    write(join(primary, 'data', 'one'), '1');
    write(join(primary, 'big', 'model'), 'm');
    write(join(primary, '.gitignore'), 'key.pem\ndata/\nbig/\n*.log\n');
  });

  unchanged('.worktreeinclude copies what it names and git ignores, and nothing else', async (stage) => {
    git(stage.primary, 'worktree', 'add', '--quiet', '-b', 'inner', join(stage.primary, 'local', 'inner'));
    write(join(stage.primary, 'local', 'inner', 'x.secret'), '');
    write(join(stage.primary, 'untracked.txt'), '');
    const { dir } = await stage.make('included');
    assert.deepEqual([existsSync(join(dir, 'x.secret')), existsSync(join(dir, 'local', 'y.secret')), existsSync(join(dir, 'untracked.txt')), existsSync(join(dir, 'local', 'inner'))], [true, true, false, false]);
    git(stage.primary, 'worktree', 'remove', '--force', join(stage.primary, 'local', 'inner'));
    rmSync(join(stage.primary, 'untracked.txt'));
  }, (primary) => {
    write(join(primary, '.worktreeinclude'), '*.secret\nuntracked.txt\n');
    write(join(primary, '.gitignore'), '*.secret\n');
    write(join(primary, 'x.secret'), '');
    write(join(primary, 'local', 'y.secret'), '');
  });

  unchanged('memory of an agent is linked when it is asked for, and unlinked with the tree', async (stage) => {
    const { files } = await stage.make('memory');
    const link = files.find((file) => file.how === 'memory');
    assert.ok(link !== undefined && lstatSync(link.path).isSymbolicLink());
    assert.ok(link.path.startsWith(join(process.env['HOME'] ?? '', '.claude', 'projects')), link.path);
    writeFileSync(join(link.path, 'note.md'), 'kept');
    await stage.remove('memory');
    assert.ok(!existsSync(link.path));
    assert.equal(readFileSync(join(link.target, 'note.md'), 'utf8'), 'kept');
  }, (primary) => write(join(primary, '.leoflow', 'worktree.yaml'), 'memory: [claude]\n'));

  unchanged('two that are made at once have different ports, names and folders', async (stage) => {
    const made = await Promise.all(['p1', 'p2', 'p3'].map((name) => stage.make(name)));
    for (const key of ['port', 'compose_project', 'database', 'temporary', 'dir'] as const) assert.equal(new Set(made.map((one) => one[key])).size, 3, key);
    assert.ok(made.every((one) => one.port !== null && one.port % 10 === 0));
  });
});

describe('repositories of every kind', () => {
  test('spaces, letters of other languages and a leading dash in names', () => onStage(async (stage) => {
    const before = fingerprint(stage.primary);
    const { dir } = await stage.make('fête/日本', { dir: '../-tree [x] ü' });
    assert.equal(git(dir, 'symbolic-ref', '--short', 'HEAD'), 'fête/日本');
    assert.equal((await stage.inside('fête/日本', 'git', 'stash')).out, 'No local changes to save\n');
    write(join(dir, 'a.txt'), 'two\n');
    assert.match((await stage.inside('fête/日本', 'git', 'stash')).err, /the stash is shared/, 'the condition on the folder holds, brackets and all');
    await stage.inside('fête/日本', 'git', 'commit', '--all', '--message', 'two');
    assert.equal((await stage.inside('fête/日本', 'git', 'push')).code, 0);
    await stage.remove('fête/日本');
    assert.deepEqual([existsSync(dir), fingerprint(stage.primary)], [false, before]);
  }, { primary: '-shop [1] ä' }));

  test('a bare repository with its trees around it', () => onStage(async (stage) => {
    const bare = join(stage.folder, 'project', '.bare');
    git(stage.folder, 'clone', '--quiet', '--bare', stage.origin, bare);
    git(bare, 'config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*');
    const before = fingerprint(bare);
    const made = await stage.make('on-bare', { cwd: bare, dir: join(stage.folder, 'project', 'on-bare') });
    assert.equal(readFileSync(join(made.dir, 'a.txt'), 'utf8'), 'one\n');
    assert.equal((await stage.make('beside', { cwd: made.dir })).dir, join(stage.folder, 'project.worktrees', 'beside'));
    assert.equal(fingerprint(bare), before);
  }));

  test('a sparse checkout keeps its patterns', () => onStage(async (stage) => {
    git(stage.primary, 'sparse-checkout', 'set', 'kept');
    const before = fingerprint(stage.primary);
    const { dir } = await stage.make('sparse');
    assert.deepEqual([existsSync(join(dir, 'kept', 'x')), existsSync(join(dir, 'left', 'y'))], [true, false]);
    assert.equal(fingerprint(stage.primary), before);
  }, {
    setUp: (primary) => {
      write(join(primary, 'kept', 'x'), '');
      write(join(primary, 'left', 'y'), '');
    },
  }));

  test('submodules come from the primary’s own objects, and go with the tree', () => onStage(async (stage) => {
    const library = join(stage.folder, 'library.git');
    git(stage.folder, 'clone', '--quiet', '--bare', stage.origin, library);
    git(stage.primary, 'submodule', '--quiet', 'add', library, 'lib/a b');
    git(stage.primary, 'commit', '--quiet', '--all', '--message', 'with a submodule');
    git(stage.primary, 'push', '--quiet', 'origin', 'main');
    renameSync(library, `${library}.away`);
    const before = fingerprint(stage.primary);
    const { dir, notes } = await stage.make('with-submodule');
    assert.deepEqual(notes, []);
    assert.equal(readFileSync(join(dir, 'lib', 'a b', 'a.txt'), 'utf8'), 'one\n');
    assert.equal(git(join(dir, 'lib', 'a b'), 'remote', 'get-url', 'origin'), library, 'its remote is the real one');
    write(join(dir, 'lib', 'a b', 'a.txt'), 'changed\n');
    git(join(dir, 'lib', 'a b'), 'commit', '--quiet', '--all', '--message', 'own');
    await assert.rejects(stage.remove('with-submodule'), refused(/1 changed file \(lib\/a b\)[\s\S]*commits of 1 submodule \(lib\/a b\)/));
    const removed = await stage.remove('with-submodule', { force: true });
    assert.ok(!existsSync(dir));
    assert.match(program('git', ['--git-dir', join(removed.rescued?.folder ?? '', 'submodule-repositories', 'lib', 'a b'), 'log', '--all', '--format=%s'], { cwd: stage.folder }).out, /^own$/m);
    assert.equal(fingerprint(stage.primary), before);
  }));

  unchanged('a filter as of git-lfs runs when the tree is filled', async (stage) => {
    git(stage.primary, 'config', '--file', join(process.env['HOME'] ?? '', '.gitconfig'), 'filter.store.smudge', 'cat "$(git rev-parse --git-common-dir)/store/$(cat)"');
    const store = join(stage.primary, '.git', 'store');
    write(join(store, 'id-1'), 'the large content\n');
    const { dir } = await stage.make('filtered');
    assert.equal(readFileSync(join(dir, 'model.large'), 'utf8'), 'the large content\n');
    rmSync(store, { recursive: true });
  }, (primary) => {
    write(join(primary, '.gitattributes'), '*.large filter=store\n');
    write(join(primary, 'model.large'), 'id-1');
  });

  const hasLfs = program('sh', ['-c', 'command -v git-lfs'], { cwd: '/' }).code === 0;
  test('git-lfs itself', { skip: hasLfs ? false : 'git-lfs is not installed: apt-get install git-lfs' }, () => onStage(async (stage) => {
    git(stage.primary, 'lfs', 'install', '--local');
    git(stage.primary, 'lfs', 'track', '*.large');
    write(join(stage.primary, 'model.large'), 'the large content\n');
    git(stage.primary, 'add', '.');
    git(stage.primary, 'commit', '--quiet', '--message', 'large');
    git(stage.primary, 'push', '--quiet', 'origin', 'main');
    const before = fingerprint(stage.primary);
    const { dir } = await stage.make('large');
    assert.equal(readFileSync(join(dir, 'model.large'), 'utf8'), 'the large content\n');
    assert.equal(fingerprint(stage.primary), before);
  }));

  test('a link that would lead a copy out of the tree is not followed', () => onStage(async (stage) => {
    symlinkSync(stage.folder, join(stage.primary, 'out'));
    git(stage.primary, 'add', 'out');
    git(stage.primary, 'commit', '--quiet', '--message', 'a link outside');
    git(stage.primary, 'push', '--quiet', 'origin', 'main');
    write(join(stage.primary, '.leoflow', 'worktree.yaml'), 'copy: [{from: a.txt, to: out/escaped.txt}]\n');
    const { notes } = await stage.make('escape');
    assert.match(notes.join(), /its folder is a link that leads out of the tree/);
    assert.ok(!existsSync(join(stage.folder, 'escaped.txt')));
  }));
});
