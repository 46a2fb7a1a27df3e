// What a tree must not take from elsewhere, and what is not garbage: files behind links, rules of somebody else's branch, repositories in caches, submodules.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { collectGarbage } from '#devloop/worktree/collect-garbage.ts';
import { openRepository } from '#devloop/worktree/repository.ts';
import { git, onStage, program, write } from '../support/worktrees.ts';

describe('worktree: from elsewhere', () => {
  test('nothing is copied through a link that leads out of the repository', () => onStage(async (stage) => {
    const { folder, primary } = stage;
    write(join(folder, 'elsewhere', 'passwords'), 'secret');
    symlinkSync(join(folder, 'elsewhere'), join(primary, 'out'));
    write(join(primary, '.leoflow', 'worktree.yaml'), 'link: []\ncopy: [out/passwords]\nsecret: [{from: out/passwords, to: key}]\n');
    const made = await stage.make('one');
    assert.deepEqual([existsSync(join(made.dir, 'out', 'passwords')), existsSync(join(made.dir, 'key'))], [false, false]);
    assert.match(made.notes.join('\n'), /copy out\/passwords: leads out of the repository[\s\S]*secret out\/passwords: leads out/);
  }));

  test('a branch of somebody else does not say what is copied', () => onStage(async (stage) => {
    const { primary } = stage;
    write(join(primary, '.gitignore'), '*.log\n');
    git(primary, 'switch', '--quiet', '--create', 'theirs');
    write(join(primary, '.worktreeinclude'), '*\n');
    git(primary, 'add', '.');
    git(primary, 'commit', '--quiet', '--message', 'takes all');
    git(primary, 'push', '--quiet', 'origin', 'theirs');
    git(primary, 'switch', '--quiet', 'main');
    write(join(primary, 'data.log'), 'private');
    assert.equal(existsSync(join((await stage.make('theirs')).dir, 'data.log')), false);
  }));

  test('a submodule is no place for a tree', () => onStage(async ({ folder, primary }) => {
    git(folder, 'init', '--quiet', 'lib');
    git(join(folder, 'lib'), 'commit', '--quiet', '--allow-empty', '--message', 'lib');
    git(primary, 'submodule', '--quiet', 'add', join(folder, 'lib'), 'lib');
    await assert.rejects(openRepository(join(primary, 'lib')), { code: 'unsupported' });
  }));
});

test('a repository in a folder with the name of a cache is no cache', () => onStage(async (stage) => {
    const { primary } = stage;
  write(join(primary, '.gitignore'), 'target\nnode_modules\n');
  git(primary, 'add', '.');
  git(primary, 'commit', '--quiet', '--message', 'ignores');
  git(primary, 'push', '--quiet', 'origin', 'main');
  const { dir } = await stage.make('one');
  write(join(dir, 'new.txt'), 'keeps the tree');
  git(dir, 'init', '--quiet', join(dir, 'target', 'very', 'deep', 'in', 'repository'));
  write(join(dir, 'node_modules', 'a', 'index.js'), '');
  const collected = await collectGarbage(await openRepository(primary), { dryRun: false, fetches: false, say: () => undefined });
  assert.deepEqual([existsSync(join(dir, 'target', 'very', 'deep', 'in', 'repository')), existsSync(join(dir, 'node_modules')), collected.map((one) => one.kind)], [true, false, ['cache', 'kept']]);
}));

test('a branch that was there before stays when its tree goes', () => onStage(async (stage) => {
  git(stage.primary, 'branch', 'develop', 'main');
  for (const branch of ['develop', 'made-by-new']) {
    const { dir } = await stage.make(branch);
    git(dir, 'commit', '--quiet', '--allow-empty', '--message', branch);
    git(stage.primary, 'merge', '--quiet', '--no-edit', branch);
  }
  git(stage.primary, 'push', '--quiet', 'origin', 'main');
  await stage.remove('develop');
  await stage.remove('made-by-new');
  assert.equal(git(stage.primary, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/develop', 'refs/heads/made-by-new'), 'develop');
}));

test('what was copied into a cache stays, and so does a branch that was switched to', () => onStage(async (stage) => {
  write(join(stage.primary, '.gitignore'), 'node_modules\n');
  git(stage.primary, 'add', '.');
  git(stage.primary, 'commit', '--quiet', '--message', 'ignores');
  git(stage.primary, 'push', '--quiet', 'origin', 'main');
  git(stage.primary, 'branch', 'old', 'HEAD~1');
  write(join(stage.primary, '.leoflow', 'worktree.yaml'), 'link: []\ncopy: [node_modules]\n');
  write(join(stage.primary, 'node_modules', 'x.js'), '1');
  const { dir } = await stage.make('one');
  write(join(dir, 'node_modules', 'x.js'), 'edited');
  await collectGarbage(await openRepository(stage.primary), { dryRun: false, fetches: false, say: () => undefined });
  assert.ok(existsSync(join(dir, 'node_modules', 'x.js')));
  write(join(dir, 'node_modules', 'x.js'), '1');
  git(dir, 'switch', '--quiet', 'old');
  await stage.remove('old');
  assert.equal(git(stage.primary, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/old'), 'old');
}));

test('what is written while a tree is being saved is not removed', () => onStage(async (stage) => {
  const { dir } = await stage.make('one');
  for (const name of ['a.txt', 'new.txt']) {
    write(join(dir, 'a.txt'), 'changed');
    write(join(dir, 'new.txt'), 'new');
    await assert.rejects(stage.remove('one', { force: true, say: () => write(join(dir, name), 'later') }), { code: 'worktree_refused' });
    assert.equal(readFileSync(join(dir, name), 'utf8'), 'later');
  }
  await stage.remove('one', { force: true });
  assert.equal(existsSync(dir), false);
}));

test('a tree that was made inside a submodule keeps the outer one', () => onStage(async (stage) => {
  git(stage.folder, 'init', '--quiet', 'lib');
  git(join(stage.folder, 'lib'), 'commit', '--quiet', '--allow-empty', '--message', 'lib');
  git(stage.primary, 'submodule', '--quiet', 'add', join(stage.folder, 'lib'), 'lib');
  git(stage.primary, 'commit', '--quiet', '--message', 'with a submodule');
  git(stage.primary, 'push', '--quiet', 'origin', 'main');
  const { dir } = await stage.make('one');
  const elsewhere = join(stage.folder, 'elsewhere');
  git(join(dir, 'lib'), 'worktree', 'add', '--quiet', '--detach', elsewhere);
  write(join(elsewhere, 'work.txt'), 'work');
  for (const force of [false, true]) await assert.rejects(stage.remove('one', { force }), { code: 'worktree_refused' });
  assert.match(git(elsewhere, 'status', '--porcelain'), /work\.txt/);
}));

test('how to get work back is typed as it stands, whatever the repository is called', () => onStage(async (stage) => {
  const { dir } = await stage.make('one');
  write(join(dir, 'new.txt'), 'work');
  const { rescued } = await stage.remove('one', { force: true });
  const command = /(cp -a .*) WHERE/.exec(JSON.stringify(rescued).replaceAll('\\\\', '\\'))?.[1];
  assert.ok(command !== undefined);
  assert.equal(program('sh', ['-c', `${command} "${stage.folder}"`], { cwd: stage.folder }).code, 0);
  assert.ok(existsSync(join(stage.folder, 'new.txt')));
}, { primary: "it's" }));
