// `leoflow worktree` and `leoflow lease` as a person types them: what is printed, exit codes, signals, and how soon they start.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ListedLease, ListedWorktree, Listener, MadeWorktree, WorktreeFinding } from '#contract/worktree.ts';
import { leoflow } from '../support/cli.ts';
import { fingerprint, onStage, program, type Stage, write } from '../support/worktrees.ts';

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'leoflow');

const run = (stage: Stage, args: readonly string[], how: { cwd?: string; env?: Record<string, string> } = {}) => leoflow(join(stage.folder, 'leoflow-home'), args, { cwd: stage.primary, ...how });

/** A command that goes on; `said` resolves when the text stands in one of its streams. */
function start(stage: Stage, args: readonly string[]): { readonly child: ReturnType<typeof spawn>; said(text: string): Promise<void> } {
  const child = spawn(BIN, [...args], { cwd: stage.primary, stdio: ['ignore', 'pipe', 'pipe'] });
  let heard = '';
  const waiting: (() => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
    for (const look of waiting) look();
  });
  return { child, said: (text) => new Promise((resolve, reject) => {
    const look = (): void => void (heard.includes(text) && resolve());
    child.once('close', () => reject(new Error(`ended before "${text}": ${heard}`)));
    waiting.push(look);
    look();
  }) };
}

describe('leoflow worktree', () => {
  test('from new to rm, as a newcomer goes', () => onStage(async (stage) => {
    const before = fingerprint(stage.primary);
    const made = await run(stage, ['worktree', 'new', 'feature/x', '--identity', 'Ada <ada@example.org>']);
    assert.equal(made.code, 0, made.err);
    const dir = join(stage.folder, 'shop.worktrees', 'feature-x');
    assert.match(made.out, new RegExp(`^${dir.replace(/[.+]/g, '\\$&')}\n  made on the new branch feature/x, from origin/main [0-9a-f]{9}\n  linked   \\.env\n  ports    \\d+–\\d+ \\(PORT_WEB=\\d+\\)\n  names    shop-feature-x-\\w{6} \\(Compose\\), shop_feature_x_\\w{6} \\(database\\)\n  identity Ada <ada@example.org>\n  push     only feature/x to origin, never forced\n\nEnter it`));
    assert.match(made.out, /leoflow worktree shell feature\/x/);
    const printed = await run(stage, ['worktree', 'env', 'feature/x']);
    const sourced = program('sh', ['-c', `${printed.out}\ncd "$WORKTREE_DIR" && git config user.email && git commit --quiet --allow-empty -m x && git stash; echo "$PORT_WEB $TMPDIR"`], { cwd: stage.primary });
    assert.match(sourced.out, /^ada@example\.org\nNo local changes to save\n\d+ \/.*wt-/);
    const listed = JSON.parse((await run(stage, ['worktree', 'list', '--json'])).out) as readonly ListedWorktree[];
    assert.deepEqual(listed.map((tree) => [tree.branch, tree.is_primary, tree.unpushed]), [['main', true, null], ['feature/x', false, 1]]);
    const refused = await run(stage, ['worktree', 'rm', 'feature/x']);
    assert.deepEqual([refused.code, refused.err.includes('1 commit of feature/x on no remote')], [75, true]);
    const removed = await run(stage, ['worktree', 'rm', 'feature/x', '--force', '--delete-branch']);
    assert.match(removed.out, /the branch feature\/x was deleted[\s\S]*git fetch '.*commits\.bundle'/);
    assert.equal(fingerprint(stage.primary), before);
    assert.equal(program('sh', ['-c', /git fetch '[^']+' '[^']+'/.exec(removed.out)?.[0] ?? 'false'], { cwd: stage.primary }).code, 0, 'what it prints gets it back');
  }, { setUp: (primary) => {
    write(join(primary, '.env'), '');
    write(join(primary, '.leoflow', 'worktree.yaml'), 'ports: [web]\n');
  } }));

  test('mistakes have their exit codes and say what to do', () => onStage(async (stage) => {
    write(join(stage.primary, '.leoflow', 'worktree.yaml'), 'lnik: [.env]\n');
    const wrong = await run(stage, ['worktree', 'new', 'x']);
    assert.deepEqual([wrong.code, /worktree\.yaml:1:1: unknown key lnik \(did you mean link\?\)/.test(wrong.err)], [65, true]);
    assert.equal((await run(stage, ['worktree', 'new'])).code, 64);
    assert.equal((await run(stage, ['worktree', 'new', 'x', 'd', 'b', '--from', 'c'])).code, 64);
    assert.equal((await run(stage, ['worktree', 'rm', 'x'])).code, 66);
    assert.equal((await run(stage, ['worktree', 'list'], { cwd: '/' })).code, 66);
    assert.equal((await run(stage, ['worktree', 'new', 'x', 'sub'])).code, 75);
  }));

  test('exec gives the command its folder and environment, and ends as it ends', () => onStage(async (stage) => {
    await stage.make('e');
    const said = await run(stage, ['worktree', 'exec', 'e', '--', 'sh', '-c', 'echo "$PWD|$WORKTREE_BRANCH|$1"; grep SigIgn /proc/self/status; exit 7', '-', '--help']);
    assert.match(said.out, new RegExp(`^${stage.folder}/shop\\.worktrees/e\\|e\\|--help\n`));
    assert.equal(said.code, 7);
    const child = spawn(BIN, ['worktree', 'exec', 'e', '--', 'sh', '-c', 'kill -TERM $$'], { cwd: stage.primary, stdio: 'ignore' });
    const [, signal] = await once(child, 'exit') as [number | null, string | null];
    assert.equal(signal, 'SIGTERM');
    assert.equal((await run(stage, ['worktree', 'exec', 'e', '--', 'no-such-program'])).code, 64);
  }));

  test('ps says whose tree a listener works in, and who sits on a reserved port; doctor finds what is broken', () => onStage(async (stage) => {
    const { dir, port } = await stage.make('one');
    await stage.make('two');
    const server = spawn(process.execPath, ['-e', `require('node:net').createServer().listen(${(port ?? 0) + 1}, '127.0.0.1', () => console.log('up'))`], { cwd: join(stage.folder, 'shop.worktrees', 'two'), stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(server.stdout, 'data');
      const listeners = JSON.parse((await run(stage, ['worktree', 'ps', '--json'])).out) as readonly Listener[];
      assert.deepEqual(listeners.map((one) => [one.port, one.pid, one.owner, one.reserved_for]), [[(port ?? 0) + 1, server.pid, 'two', 'one']]);
      rmSync(join(stage.primary, '.env'));
      rmSync(join(stage.folder, 'shop.worktrees', 'two', '.env'));
      const found = JSON.parse((await run(stage, ['worktree', 'doctor', '--json'], { cwd: dir })).out) as readonly WorktreeFinding[];
      const warned = found.filter((one) => one.state !== 'ok').map((one) => `${one.check}: ${one.text}`).join('\n');
      assert.match(warned, /environment: this shell stands in one without its environment/);
      assert.match(warned, /links: one: \.env leads to .*, which is gone/);
      assert.match(warned, /links: two: \.env is no link any more/);
      assert.match(warned, new RegExp(`ports: ${(port ?? 0) + 1} is reserved for one, but .* listens there`));
      const inside = JSON.parse((await stage.inside('one', BIN, 'worktree', 'doctor', '--json')).out) as readonly WorktreeFinding[];
      assert.equal(inside.find((one) => one.check === 'environment')?.state, 'ok');
      rmSync(join(stage.primary, '.git', 'worktrees', 'one', 'leoflow', 'dispatch'));
      assert.equal((await run(stage, ['worktree', 'doctor'])).code, 75);
    } finally {
      server.kill('SIGKILL');
    }
  }, { setUp: (primary) => write(join(primary, '.env'), '') }));

  test('JSON of new holds what is needed to go on', () => onStage(async (stage) => {
    const made = JSON.parse((await run(stage, ['worktree', 'new', 'j', '--json'])).out) as MadeWorktree;
    assert.deepEqual([made.kind, made.branch, made.base.ref, existsSync(made.dir)], ['created', 'j', 'refs/remotes/origin/main', true]);
  }));
});

describe('leoflow lease', () => {
  test('lets one command at a time in; the others wait and are told for whom', () => onStage(async (stage) => {
    const log = join(stage.folder, 'log');
    const one = start(stage, ['lease', 'run', 'cluster:ftf', '--', 'sh', '-c', `echo first >>'${log}'; echo in; read x <'${stage.folder}/go'; echo first ends >>'${log}'`]);
    program('mkfifo', [join(stage.folder, 'go')], { cwd: stage.folder });
    await one.said('in\n');
    const held = JSON.parse((await run(stage, ['lease', 'list', '--json'])).out) as readonly ListedLease[];
    assert.deepEqual(held.map((lease) => [lease.name, lease.is_held, lease.pid, lease.worktree]), [['cluster:ftf', true, one.child.pid, stage.primary]]);
    const busy = await run(stage, ['lease', 'run', 'cluster:ftf', '--no-wait', '--', 'true']);
    assert.equal(busy.code, 75);
    assert.match(busy.err, new RegExp(`held by process ${one.child.pid} in .*shop since \\d{4}-.*: sh -c`));
    assert.equal((await run(stage, ['lease', 'run', 'cluster:ftf', '--wait', '1s', '--', 'true'])).code, 75);
    assert.equal((await run(stage, ['lease', 'run', 'another', '--no-wait', '--', 'true'])).code, 0);
    const two = start(stage, ['lease', 'run', 'cluster:ftf', '--wait', '1m', '--', 'sh', '-c', `echo second >>'${log}'`]);
    await two.said('waiting for the lease');
    program('sh', ['-c', 'echo >go'], { cwd: stage.folder });
    await once(two.child, 'close');
    assert.equal(readFileSync(log, 'utf8'), 'first\nfirst ends\nsecond\n');
  }));

  test('belongs to the command: exit code and signal pass, and a killed command gives it back', () => onStage(async (stage) => {
    assert.equal((await run(stage, ['lease', 'run', 'l', '--', 'sh', '-c', 'exit 9'])).code, 9);
    assert.equal((await run(stage, ['lease', 'run', 'l', '--', 'no-such-program'])).code, 127);
    assert.equal((await run(stage, ['lease', 'run', 'a b', '--', 'true'])).code, 64);
    const long = 'ä'.repeat(100);
    assert.equal((await run(stage, ['lease', 'run', long, '--', 'true'])).code, 0);
    assert.match((await run(stage, ['lease', 'list'])).out, new RegExp(long));
    const pipe = await run(stage, ['lease', 'run', 'l', '--', 'bash', '-c', 'yes | head -1; echo "${PIPESTATUS[0]}"']);
    assert.equal(pipe.out, 'y\n141\n', 'a closed pipe ends a program as ever');
    const holder = start(stage, ['lease', 'run', 'l', '--', 'sh', '-c', 'echo in; exec sleep 60']);
    await holder.said('in\n');
    holder.child.kill('SIGKILL');
    const [, signal] = await once(holder.child, 'exit') as [number | null, string | null];
    assert.equal(signal, 'SIGKILL');
    assert.equal((await run(stage, ['lease', 'run', 'l', '--no-wait', '--', 'true'])).code, 0);
  }));

  test('outlives the one who took it while something of the command still runs', () => onStage(async (stage) => {
    const parent = start(stage, ['lease', 'run', 'l', '--', 'sh', '-c', 'sleep 60 & echo "child $!"; wait']);
    let child = 0;
    parent.child.stdout?.on('data', (text: string) => void (child = Number(/child (\d+)/.exec(text)?.[1] ?? child)));
    await parent.said('child ');
    parent.child.kill('SIGKILL');
    await once(parent.child, 'exit');
    assert.equal((await run(stage, ['lease', 'run', 'l', '--no-wait', '--', 'true'])).code, 75, 'its child inherited the lease');
    process.kill(child, 'SIGKILL');
    assert.equal((await run(stage, ['lease', 'run', 'l', '--wait', '10s', '--', 'true'])).code, 0);
  }));
});

describe('start-up', () => {
  test('loads neither schemas nor servers: a second working tree needs none of them', () => onStage(async (stage) => {
    const loaded = await run(stage, ['worktree', 'list'], { env: { NODE_DEBUG: 'esm,module' } });
    assert.equal(loaded.code, 0);
    for (const name of ['@sinclair/typebox', 'ajv', 'fastify', 'kysely', '/pg/', 'node_modules/yaml', 'prom-client']) assert.ok(!loaded.err.includes(`node_modules/${name.replace('node_modules/', '')}`), name);
    assert.match(loaded.err, /node_modules\/commander/, 'the trace shows what is loaded');
  }));
});
