// Two developers in two trees of one repository, 200 random git operations: nothing that was ever committed or pushed is lost, and neither touches the other's files.
import assert from 'node:assert/strict';
import { existsSync, globSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { enterTree } from '#devloop/worktree/enter-tree.ts';
import { fingerprint, git, onStage, program, type Stage } from '../support/worktrees.ts';

const OPERATIONS = 200;
const seed = Number(process.env['LEOFLOW_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));

/** Mulberry32: the same seed, the same run. */
function randomOf(state: number): (below: number) => number {
  let at = state >>> 0;
  return (below) => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), at | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Developer { readonly name: string; branch: string; dir: string; environment: Readonly<Record<string, string>>; generation: number }

/** What was committed, by the id of its content, with where it came from. */
type Ledger = Map<string, string>;

class Workplace {
  readonly stage: Stage;
  readonly developers: Developer[] = [];
  readonly ledger: Ledger = new Map();
  readonly random: (below: number) => number;
  readonly bundles: string[] = [];
  #count = 0;

  constructor(stage: Stage, random: (below: number) => number) {
    this.stage = stage;
    this.random = random;
  }

  async settle(name: string, generation: number): Promise<void> {
    const branch = `${name}/${generation}`;
    const { dir } = await this.stage.make(branch, { identity: { name, email: `${name}@example.org` } });
    const { environment } = await enterTree(this.stage.primary, branch);
    const at = this.developers.findIndex((one) => one.name === name);
    const developer = { name, branch, dir, environment, generation };
    if (at < 0) this.developers.push(developer);
    else this.developers[at] = developer;
  }

  git(who: Developer, ...args: readonly string[]): ReturnType<typeof program> {
    return program('git', args, { cwd: who.dir, env: who.environment });
  }

  /** Writes a file that nobody has written before. */
  edit(who: Developer): string {
    this.#count += 1;
    writeFileSync(join(who.dir, `${who.name}-${this.random(5)}.txt`), `content ${this.#count} of ${who.name}\n`);
    return 'edit';
  }

  commit(who: Developer, ...more: readonly string[]): string {
    this.edit(who);
    this.git(who, 'add', '--all');
    const done = this.git(who, 'commit', '--quiet', '--message', `commit ${this.#count}`, ...more);
    if (done.code === 0) this.record(who, `commit ${this.#count} of ${who.name}`);
    return `commit ${more.join(' ')} → ${done.code}`;
  }

  record(who: Developer, what: string): void {
    for (const line of git(who.dir, 'ls-tree', '-r', 'HEAD').split('\n')) this.ledger.set(line.split(/\s+/)[2] ?? '', what);
    this.ledger.set(git(who.dir, 'rev-parse', 'HEAD'), what);
  }

  /** A commit on no branch, left behind: only the tree's own reflog knows it. */
  detour(who: Developer): string {
    if (this.git(who, 'switch', '--quiet', '--detach').code !== 0) return 'detour refused';
    const what = this.commit(who);
    return works(`detour, ${what}`, this.git(who, 'switch', '--quiet', '--force', who.branch));
  }

  /** @param always a tree that goes by force, with its branch: what nobody else has is left in a bundle */
  async replace(who: Developer, always = { force: false }): Promise<string> {
    const force = always.force || this.random(3) > 0;
    // Without force a tree goes only when all is committed and pushed.
    if (!force) for (const args of [['add', '--all'], ['commit', '--quiet', '--message', 'last'], ['push', '--quiet']]) this.git(who, ...args);
    const ended = await this.stage.remove(who.branch, { force, deleteBranch: always.force || (force && this.random(2) === 0) }).catch((error: unknown) => (force ? Promise.reject(error as Error) : null));
    if (ended === null) return 'rm refused';
    const { rescued } = ended;
    const bundle = join(rescued?.folder ?? '', 'commits.bundle');
    if (rescued !== null && existsSync(bundle)) this.bundles.push(bundle);
    await this.settle(who.name, who.generation + 1);
    return `rm${force ? ' --force' : ''}, new`;
  }
}

type Operation = (place: Workplace, who: Developer, other: Developer) => string | Promise<string>;

const OPERATIONS_BY_WEIGHT: readonly (readonly [number, Operation])[] = [
  [20, (place, who) => place.edit(who)],
  [8, (place, who) => `add → ${place.git(who, 'add', '--all').code}`],
  [24, (place, who) => place.commit(who)],
  [8, (place, who) => place.commit(who, '--amend')],
  [5, (place, who) => `rebase → ${place.git(who, 'rebase', '--quiet', 'origin/main').code} ${place.git(who, 'rebase', '--abort').code}`],
  [5, (place, who) => `reset → ${place.git(who, 'reset', '--hard', '--quiet', `HEAD~${place.random(3)}`).code}`],
  [8, (place, who) => refusedAlways('stash', dirtyStash(place, who))],
  [4, (place, who) => refusedAlways('stash pop', place.git(who, 'stash', 'pop').code)],
  [6, (place, who, other) => refusedAlways('checkout', place.git(who, 'checkout', '--quiet', other.branch).code)],
  [4, (place, who) => `clean → ${place.git(who, 'clean', '-ffdxq').code}`],
  [10, (place, who) => `push → ${place.git(who, 'push', '--quiet').code}`],
  [3, (place, who, other) => pushElsewhere(place, who, other)],
  [5, (place, who) => `fetch → ${place.git(who, 'fetch', '--quiet').code}`],
  [4, (place, who) => place.replace(who)],
  [6, (place, who) => place.detour(who)],
  [3, (place, who) => works('gc', place.git(who, 'gc', '--quiet', '--prune=now'))],
  [6, (place, who, other) => refusedAlways('branch -D', place.git(who, 'branch', '-D', other.branch).code)],
  [3, (place, who) => deleteOld(place, who)],
];

function dirtyStash(place: Workplace, who: Developer): number | null {
  place.edit(who);
  return place.git(who, 'stash', '--include-untracked').code;
}

/** A branch of a tree that is gone: git would let it go. */
function deleteOld(place: Workplace, who: Developer): string {
  const old = git(place.stage.primary, 'branch', '--format=%(refname:short)').split('\n').find((name) => name !== 'main' && !place.developers.some((one) => one.branch === name));
  return old === undefined ? 'no old branch' : `branch -D ${old} → ${place.git(who, 'branch', '-D', old).code}`;
}

/** Refused, unless there is nothing to push: both branches are at the same commit. */
function pushElsewhere(place: Workplace, who: Developer, other: Developer): string {
  const before = place.stage.remote();
  const { code } = place.git(who, 'push', '--quiet', '--force', 'origin', `HEAD:${other.branch}`);
  assert.equal(place.stage.remote(), before, 'a push to another branch came through');
  return code === 0 ? 'push of nothing' : 'push refused';
}

function refusedAlways(what: string, code: number | null): string {
  assert.notEqual(code, 0, `${what} was not refused`);
  return `${what} refused`;
}

function works(what: string, { code, err }: ReturnType<typeof program>): string {
  assert.equal(code, 0, `${what}: ${err}`);
  return what;
}

function pick(place: Workplace): Operation {
  let at = place.random(OPERATIONS_BY_WEIGHT.reduce((sum, [weight]) => sum + weight, 0));
  const found = OPERATIONS_BY_WEIGHT.find(([weight]) => (at -= weight) < 0);
  assert.ok(found !== undefined);
  return found[1];
}

/** Every file of a tree with its content. */
function filesOf(dir: string): string {
  return readdirSync(dir).filter((name) => name !== '.git').sort().map((name) => `${name}\n${lstatSync(join(dir, name)).isFile() ? readFileSync(join(dir, name), 'utf8') : ''}`).join('\n');
}

/** Ids of everything that a clone can still reach: branches, the remote, reflogs, and what was saved. */
function reachable(place: Workplace): Set<string> {
  const { primary } = place.stage;
  for (const [at, bundle] of place.bundles.entries()) git(primary, 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head', bundle, `+refs/*:refs/found/${at}/*`);
  const heads = globSync('.git/worktrees/*/logs/HEAD', { cwd: primary }).flatMap((path) => readFileSync(join(primary, path), 'utf8').match(/\b[0-9a-f]{40}\b/g) ?? []).filter((id) => !/^0+$/.test(id));
  const objects = program('git', ['rev-list', '--objects', '--reflog', '--all', '--ignore-missing', '--stdin'], { cwd: primary, input: `${[...new Set(heads)].join('\n')}\n` }).out;
  return new Set(objects.split('\n').map((line) => line.split(' ')[0] ?? ''));
}

test(`two developers, ${OPERATIONS} operations, seed ${seed}`, () => onStage(async (stage) => {
  const place = new Workplace(stage, randomOf(seed));
  for (const name of ['ada', 'ben']) await place.settle(name, 1);
  writeFileSync(join(stage.primary, 'a.txt'), 'of the primary\n');
  git(stage.primary, 'stash');
  const before = fingerprint(stage.primary);
  const history: string[] = [];
  const counts = new Map<string, number>();
  try {
    for (let at = 0; at < OPERATIONS; at += 1) {
      const index = place.random(2);
      const [who, other] = [place.developers[index], place.developers[1 - index]];
      assert.ok(who !== undefined && other !== undefined);
      const [files, tip] = [filesOf(other.dir), git(other.dir, 'rev-parse', 'HEAD')];
      const what = await pick(place)(place, who, other);
      history.push(`${at} ${who.name}: ${what}`);
      counts.set(what.split(' ')[0] ?? '', (counts.get(what.split(' ')[0] ?? '') ?? 0) + 1);
      assert.equal(filesOf(other.dir), files, `${other.name}'s files were changed`);
      assert.equal(git(other.dir, 'rev-parse', 'HEAD'), tip, `${other.name}'s branch was moved`);
    }
    // Chance may have removed no tree with work that nobody else has.
    const [first] = place.developers;
    if (place.bundles.length === 0 && first !== undefined) {
      place.edit(first);
      place.commit(first);
      history.push(await place.replace(first, { force: true }));
    }
    assert.equal(git(stage.primary, 'stash', 'list').split('\n').length, 1, 'the primary keeps its stash');
    assert.equal(fingerprint(stage.primary), before, 'the primary checkout was changed');
    const found = reachable(place);
    const lost = [...place.ledger].filter(([id]) => !found.has(id));
    assert.deepEqual(lost, []);
    assert.ok(place.ledger.size > 40 && place.bundles.length > 0 && counts.size >= 12, `the run did too little: ${place.ledger.size} contents, ${place.bundles.length} bundles, ${[...counts.keys()].join(' ')}`);
  } catch (error) {
    throw new Error(`seed ${seed} (LEOFLOW_TEST_SEED=${seed}): ${error instanceof Error ? error.message : String(error)}\n${history.slice(-15).join('\n')}`, { cause: error });
  }
}));

test('a tree that is made while git is just writing the files of another waits for it', () => onStage(async (stage) => {
  const { dir } = await stage.make('slow');
  const commondir = join(readFileSync(join(dir, '.git'), 'utf8').trim().replace('gitdir: ', ''), 'commondir');
  const whole = readFileSync(commondir);
  writeFileSync(commondir, '');
  setTimeout(() => writeFileSync(commondir, whole), 200);
  assert.equal((await stage.make('beside')).branch, 'beside');
}));
