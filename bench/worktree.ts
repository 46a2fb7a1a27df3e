// `leoflow worktree new` beside bare `git worktree add`, on a repository of 50,000 files: the whole command, fetch and set-up steps apart.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MadeWorktree } from '#contract/worktree.ts';
import { userEnvironment } from '#platform/config.ts';
import type { Measured } from './figures.ts';
import type { Workbench } from './workbench.ts';

const PROGRAM = join(import.meta.dirname, '..', 'bin', 'leoflow');
const FILES = 50_000;
const PER_FOLDER = 100;

/** Runs a program to its end. @returns seconds */
function timed(command: string, args: readonly string[], how: { cwd: string; env: Record<string, string> }): number {
  const started = performance.now();
  const done = spawnSync(command, [...args], { ...how, encoding: 'utf8' });
  const seconds = (performance.now() - started) / 1000;
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr}`);
  return seconds;
}

/** A repository of many small files of different sizes, with a remote that has all of them. */
function makeRepository(folder: string, env: Record<string, string>): string {
  const primary = join(folder, 'primary');
  for (let at = 0; at < FILES / PER_FOLDER; at += 1) {
    const inner = join(primary, `part-${at % 20}`, `folder-${at}`);
    mkdirSync(inner, { recursive: true });
    for (let one = 0; one < PER_FOLDER; one += 1) writeFileSync(join(inner, `file-${one}.txt`), `file ${at} ${one}\n`.repeat(1 + ((at * 7 + one * 13) % 200)));
  }
  const git = (...args: string[]): number => timed('git', args, { cwd: primary, env });
  timed('git', ['init', '--quiet', '--initial-branch=main', primary], { cwd: folder, env });
  git('config', 'user.name', 'Bench');
  git('config', 'user.email', 'bench@example.org');
  git('config', 'gc.auto', '0');
  git('add', '.');
  git('commit', '--quiet', '--message', `${FILES} files`);
  git('repack', '-a', '-d', '--quiet');
  timed('git', ['clone', '--quiet', '--bare', '--no-local', primary, join(folder, 'origin.git')], { cwd: folder, env });
  git('remote', 'add', 'origin', join(folder, 'origin.git'));
  git('fetch', '--quiet', 'origin');
  git('remote', 'set-head', 'origin', 'main');
  return primary;
}

/** The case. Trees are removed again, so that each one is made beside the same. */
export function measureWorktree(bench: Workbench): Promise<Measured> {
  const env = { ...userEnvironment(), HOME: bench.folder, XDG_STATE_HOME: join(bench.folder, 'state'), GIT_CONFIG_NOSYSTEM: '1' };
  bench.say(`writing a repository of ${FILES.toLocaleString('en-US')} files`);
  const primary = makeRepository(bench.folder, env);
  const [ours, bare, workers, fetched, listed] = [[], [], [], [], []] as [number[], number[], number[], number[], number[]];
  const remove = (dir: string, branch: string): void => {
    const state = join(primary, '.git', 'worktrees', branch, 'leoflow', 'tree.json');
    if (existsSync(state)) rmSync((JSON.parse(readFileSync(state, 'utf8')) as MadeWorktree).temporary, { recursive: true, force: true });
    timed('git', ['worktree', 'remove', '--force', dir], { cwd: primary, env });
    timed('git', ['branch', '--quiet', '-D', branch], { cwd: primary, env });
  };
  const measure = { bare: (round: number): void => {
    const dir = join(bench.folder, 'trees', `bare-${round}`);
    bare.push(timed('git', ['worktree', 'add', '--quiet', '--no-track', '-b', `bare-${round}`, dir, 'origin/main'], { cwd: primary, env }));
    remove(dir, `bare-${round}`);
  }, workers: (round: number): void => {
    const dir = join(bench.folder, 'trees', `workers-${round}`);
    workers.push(timed('git', ['-c', 'checkout.workers=0', 'worktree', 'add', '--quiet', '--no-track', '-b', `workers-${round}`, dir, 'origin/main'], { cwd: primary, env }));
    remove(dir, `workers-${round}`);
  }, ours: (round: number): void => {
    const dir = join(bench.folder, 'trees', `ours-${round}`);
    ours.push(timed(PROGRAM, ['worktree', 'new', `ours-${round}`, dir, '--no-fetch'], { cwd: primary, env }));
    listed.push(timed(PROGRAM, ['worktree', 'env', `ours-${round}`], { cwd: primary, env }));
    remove(dir, `ours-${round}`);
  }, fetched: (round: number): void => {
    const dir = join(bench.folder, 'trees', `fetched-${round}`);
    fetched.push(timed(PROGRAM, ['worktree', 'new', `fetched-${round}`, dir], { cwd: primary, env }));
    remove(dir, `fetched-${round}`);
  } };
  measure.ours(-1);
  measure.bare(-1);
  for (const rounds of [ours, bare, listed]) rounds.length = 0;
  for (let round = 0; round < bench.rounds; round += 1) {
    // Who goes first changes, since the second finds a warmer disk.
    for (const which of round % 2 === 0 ? ['bare', 'ours', 'workers'] as const : ['workers', 'ours', 'bare'] as const) measure[which](round);
  }
  measure.fetched(0);
  const base = { name: 'git worktree add', rounds: bare };
  return Promise.resolve({
    figures: [
      { name: `\`leoflow worktree new\`, ${FILES.toLocaleString('en-US')} files, without fetch`, unit: 's', target: { of: 'ratio', atMost: 1.1 }, rounds: ours, base },
      { name: 'the same beside git with as many workers', unit: 's', target: null, rounds: ours, base: { name: 'git -c checkout.workers=0 worktree add', rounds: workers } },
      { name: 'the same with a remote on this disk that is asked and has nothing new', unit: 's', target: null, rounds: fetched, base },
      { name: '`leoflow worktree env`, the start of the command included', unit: 's', target: null, rounds: listed, base: null },
    ],
    details: ['Whole commands, from start to exit, alternating; each tree is removed before the next is made. `leoflow worktree new` lets git check out with as many workers as the machine has cores (`checkout.workers`), unless the repository says otherwise.'],
  });
}
