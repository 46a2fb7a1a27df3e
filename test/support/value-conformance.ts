// What every place of XCom bytes must do, one suite for all: PostgreSQL (in the commit itself), Redis, and the store in memory.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { type ExecutionId, makeUuidV7 } from '#contract/ids.ts';
import type { ValueStore } from '#contract/value-store.ts';
import { inlineXComs, type PlacedXCom, placeXComs } from '#scheduler/place-xcoms.ts';
import { type Swept, sweepValues } from '#scheduler/sweep-values.ts';
import type { Database } from '#store/database.ts';
import { expireValues } from '#store/dead-values.ts';
import { prune } from '#store/prune.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { emptyBatch, moveTask, type MoveResult } from '#store/task-attempts.ts';
import { findXComValue } from '#store/xcom-values.ts';
import { findXCom, type XComKey } from '#store/xcoms.ts';
import { withDatabase } from './database.ts';
import { addDag, addRun, dagOf, task } from './rows.ts';

/** A place under test, opened for one database. `store` is null when bytes go into the commit. */
export interface Place extends AsyncDisposable {
  readonly store: ValueStore | null;
  /** Everything is gone, as after FLUSHALL. */
  lose(): Promise<void>;
  /** Other bytes under every name. */
  spoil(): Promise<void>;
  /** How many values it holds. */
  count(): Promise<number>;
}

const KIB256 = 262_144;
const text = (length: number): string => JSON.stringify('x'.repeat(length - 2));
const ODD: Readonly<Record<string, string>> = {
  'just below 256 KiB': text(KIB256 - 1), '256 KiB': text(KIB256), 'just above 256 KiB': text(KIB256 + 1), NUL: '"\\u0000"', 'a lone surrogate': '"\\ud800"', '2^53+1': '9007199254740993',
  NaN: 'NaN', '1.0': '1.0', 'nested 10,000 deep': '['.repeat(10_000) + ']'.repeat(10_000), 'the empty string': '""', 'no bytes at all': '', unicode: '"größer 🦁 \u2028"', 'keys twice': '{"a":1,"a":2}', null: 'null',
};
const EPOCH = 1;
const isLost = (error: unknown): boolean => error instanceof AppError && error.code === 'xcom_lost';

class Scene {
  readonly database: Database;
  readonly place: Place;
  readonly run: string;

  constructor(database: Database, place: Place, run: string) {
    this.database = database;
    this.place = place;
    this.run = run;
  }

  newExecution(): ExecutionId {
    return makeUuidV7<ExecutionId>(Date.now());
  }

  /** Where the bytes of a report go before its commit. */
  async put(xcoms: Readonly<Record<string, string>>, how: { execution?: ExecutionId; epoch?: number; atMs?: number; ttlSeconds?: number; store?: ValueStore | null } = {}): Promise<readonly PlacedXCom[]> {
    const from = { owner: how.execution ?? this.newExecution(), xcoms: Object.entries(xcoms).map(([key, value]) => ({ key, value, mapped_length: null })) };
    const store = how.store === undefined ? this.place.store : how.store;
    if (store === null) return inlineXComs(from.xcoms);
    return (await placeXComs(store, from, { ttlSeconds: how.ttlSeconds ?? null, mark: { epoch: how.epoch ?? EPOCH, atMs: how.atMs ?? this.database.clock.nowMs(), run: this.run } })).xcoms;
  }

  commit(placed: readonly PlacedXCom[], how: { mapIndex?: number; ttlSeconds?: number } = {}): Promise<MoveResult> {
    const xcoms = placed.map((xcom) => ({ ...xcom, run: this.run, taskId: 't', mapIndex: how.mapIndex ?? -1, attemptId: makeUuidV7<string>(0), ttlSeconds: how.ttlSeconds ?? null }));
    return moveTask(this.database.pool, null, { ...emptyBatch(), xcoms });
  }

  async confirm(placed: readonly PlacedXCom[]): Promise<void> {
    await this.place.store?.confirmValues(placed.flatMap((xcom) => xcom.location ?? []));
  }

  async push(xcoms: Readonly<Record<string, string>>, how: { mapIndex?: number; ttlSeconds?: number; execution?: ExecutionId } = {}): Promise<readonly PlacedXCom[]> {
    const placed = await this.put(xcoms, how);
    assert.deepEqual(await this.commit(placed, how), { kind: 'moved' });
    await this.confirm(placed);
    return placed;
  }

  /** As a task asks. */
  read(key: string, mapIndex: number | null = -1): Promise<string | null> {
    return findXComValue(this.database.pool, { run: this.run, dagId: 'd', runId: null, taskId: 't', key, mapIndex }, this.place.store);
  }

  /** As the API asks. */
  async readForPeople(key: string): Promise<string | undefined> {
    const name: XComKey = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: -1, key };
    return (await findXCom(this.database, name, this.place.store))?.value.toString('utf8');
  }

  async sweep(epoch: number): Promise<Swept> {
    return this.place.store === null ? { dead: 0, orphans: 0 } : sweepValues({ database: this.database, values: this.place.store, epoch });
  }
}

/** The suite. `open` gets the database and gives a place that nobody else uses. */
export function valueConformance(name: string, open: (database: Database) => Promise<Place>, skip: string | false = false): void {
  const scene = (work: (scene: Scene) => Promise<void>): Promise<void> => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('t')]));
    const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'success' });
    await using place = await open(database);
    await work(new Scene(database, place, run));
  });
  describe(`values in ${name}`, { skip }, () => {
    bytesComeBack(scene);
    lossIsLoud(scene);
    commitsAndCrashes(scene);
    endsOfValues(scene);
  });
}

type Run = (work: (scene: Scene) => Promise<void>) => Promise<void>;

function bytesComeBack(scene: Run): void {
  it('come back byte by byte', () => scene(async (s) => {
    await s.push(ODD);
    for (const [key, value] of Object.entries(ODD)) {
      assert.ok((await s.read(key)) === value, key);
      assert.ok((await s.readForPeople(key)) === value, `${key}, for people`);
    }
    assert.equal(await s.read('never pushed'), null);
  }));

  it('of a mapped task come in the order of their indexes', () => scene(async (s) => {
    for (const mapIndex of [10, 2, 0]) await s.push({ k: `${mapIndex}` }, { mapIndex });
    assert.equal(await s.read('k', null), '[0,2,10]');
  }));

  it('put at the same time do not meet', () => scene(async (s) => {
    await Promise.all(Array.from({ length: 40 }, (_, mapIndex) => s.push({ a: `"a${mapIndex}"`, b: text(20_000 + mapIndex), same: 'null' }, { mapIndex })));
    assert.equal(await s.read('a', null), `[${Array.from({ length: 40 }, (_, at) => `"a${at}"`).join(',')}]`);
    assert.equal((await s.read('b', 39))?.length, 20_039);
  }));

  it('of one answer may be many and large', () => scene(async (s) => {
    const value = text(KIB256);
    await Promise.all(Array.from({ length: 40 }, (_, mapIndex) => s.push({ k: value }, { mapIndex })));
    assert.equal((await s.read('k', null))?.length, 40 * KIB256 + 41);
  }));
}

function lossIsLoud(scene: Run): void {
  it('that are gone are an error, never None', () => scene(async (s) => {
    await s.push({ k: '1' });
    await s.place.lose();
    await assert.rejects(s.read('k'), isLost);
    await assert.rejects(s.read('k', null), isLost);
    await assert.rejects(s.readForPeople('k'), isLost);
  }));

  it('one of which is gone are an error for all', () => scene(async (s) => {
    await s.push({ k: '1' }, { mapIndex: 0 });
    await s.place.lose();
    await s.push({ k: '2' }, { mapIndex: 1 });
    await assert.rejects(s.read('k', null), isLost);
    assert.equal(await s.read('k', 1), '2');
  }));

  it('that are not what was pushed are an error', () => scene(async (s) => {
    await s.push({ k: '1' });
    await s.place.spoil();
    await assert.rejects(s.read('k'), isLost);
    await assert.rejects(s.readForPeople('k'), isLost);
  }));

  it('whose time is over are an error, and their bytes go', () => scene(async (s) => {
    await s.push({ short: '1', other: '2' }, { ttlSeconds: 3600 });
    assert.equal(await s.read('short'), '1');
    await s.database.pool.query("update xcoms set expires_at = clock_timestamp() - interval '1 s' where key = 'short'");
    await assert.rejects(s.read('short'), (error: unknown) => isLost(error) && /expired/.test(String(error)));
    const gone = await expireValues(s.database.pool, 10);
    if (s.place.store === null) assert.deepEqual([gone, await s.place.count()], [1, 1]);
    assert.equal(await expireValues(s.database.pool, 10), 0, 'once');
    await assert.rejects(s.read('short'), (error: unknown) => isLost(error) && /expired/.test(String(error)));
    assert.equal(await s.read('other'), '2');
    assert.deepEqual((await s.database.pool.query("select expires_at from xcoms where key = 'other' and expires_at between clock_timestamp() + interval '50 min' and clock_timestamp() + interval '60 min'")).rowCount, 1);
  }));
}

function commitsAndCrashes(scene: Run): void {
  it('of the same report again are the same', () => scene(async (s) => {
    const execution = s.newExecution();
    for (let time = 0; time < 3; time += 1) await s.put({ k: '1' }, { execution });
    const placed = await s.push({ k: '1' }, { execution });
    // Its answer was lost: the agent asks again, and a leader that does not know yet puts it again.
    assert.deepEqual(await s.put({ k: '1' }, { execution }), placed);
    assert.equal(await s.place.count(), 1);
    await s.sweep(EPOCH + 1);
    assert.equal(await s.read('k'), '1');
  }));

  it('of another execution are never touched', () => scene(async (s) => {
    await s.push({ k: '1' });
    await s.put({ k: '2' });
    await s.put({ k: '1' });
    assert.equal(await s.read('k'), '1');
    await s.sweep(EPOCH + 1);
    assert.equal(await s.read('k'), '1');
    assert.equal(await s.place.count(), 1);
  }));

  it('of one execution that says two things: the committed one stays', () => scene(async (s) => {
    const execution = s.newExecution();
    await s.push({ k: '1' }, { execution });
    await s.put({ k: '2' }, { execution });
    assert.equal(await s.read('k'), '1');
    await s.sweep(EPOCH + 1);
    assert.equal(await s.read('k'), '1');
  }));

  it('whose commit never came go with the next leader, not before', () => scene(async (s) => {
    await s.put({ k: text(1000) });
    await s.sweep(EPOCH);
    assert.equal(await s.place.count(), s.place.store === null ? 0 : 1, 'their commit may still come');
    assert.deepEqual(await s.sweep(EPOCH + 1), { dead: 0, orphans: s.place.store === null ? 0 : 1 });
    assert.equal(await s.place.count(), 0);
    assert.deepEqual(await s.sweep(EPOCH + 1), { dead: 0, orphans: 0 });
  }));

  it('whose commit never came go after a while under the same leader too', () => scene(async (s) => {
    await s.put({ k: '1' }, { atMs: s.database.clock.nowMs() - 3_600_000 });
    await s.sweep(EPOCH);
    assert.equal(await s.place.count(), 0);
  }));

  it('of a younger epoch are not judged by an older leader', () => scene(async (s) => {
    const placed = await s.put({ k: '1' }, { epoch: EPOCH + 5, atMs: 0 });
    await s.sweep(EPOCH);
    await s.commit(placed);
    assert.equal(await s.read('k'), '1');
  }));

  it('whose leader died right after the commit stay', () => scene(async (s) => {
    await s.commit(await s.put({ k: '1' }));
    assert.deepEqual(await s.sweep(EPOCH + 1), { dead: 0, orphans: 0 });
    assert.equal(await s.read('k'), '1');
    if (s.place.store !== null) assert.deepEqual(await s.place.store.listPending(10), []);
  }));

  it('put again since they were found to be orphans stay', () => scene(async (s) => {
    const { store } = s.place;
    if (store === null) return;
    const execution = s.newExecution();
    await s.put({ k: '1' }, { execution });
    const found = await store.listPending(10);
    const placed = await s.put({ k: '1' }, { execution });
    await store.discardPending(found);
    await s.commit(placed);
    await s.confirm(placed);
    await store.discardPending(found);
    assert.equal(await s.read('k'), '1');
  }));
}

function endsOfValues(scene: Run): void {
  it('that are replaced go, the others stay', () => scene(async (s) => {
    await s.push({ k: '1', other: '1' });
    await s.push({ k: '2' });
    await s.sweep(EPOCH);
    assert.deepEqual([await s.read('k'), await s.read('other'), await s.place.count()], ['2', '1', 2]);
  }));

  it('go with the try before', () => scene(async (s) => {
    await s.push({ k: '1' });
    await s.push({ k: '2' }, { mapIndex: 0 });
    await moveTask(s.database.pool, null, { ...emptyBatch(), purge: [{ run: s.run, taskId: 't', mapIndex: -1 }] });
    await s.sweep(EPOCH);
    assert.deepEqual([await s.read('k'), await s.read('k', 0), await s.place.count()], [null, '2', 1]);
  }));

  it('go with a deleted run', () => scene(async (s) => {
    await s.push(ODD);
    await s.database.pool.query("update dag_runs set state = 'success', finished = true where id = $1", [s.run]);
    await deleteRun(s.database, s.run);
    await s.sweep(EPOCH);
    assert.equal(await s.place.count(), 0);
  }));

  it('go with a pruned run', () => scene(async (s) => {
    await s.push(ODD);
    await addRun(s.database, { dagId: 'd', runId: 'newer', state: 'success' });
    await s.database.pool.query("update dag_runs set run_after = '2020-01-01Z', end_date = '2020-01-01Z' where run_id = 'r'");
    assert.equal((await prune(s.database, { endedBefore: Date.now(), keepRuns: 1, dagId: null })).runs, 1);
    await s.sweep(EPOCH);
    assert.equal(await s.place.count(), 0);
    assert.equal((await s.database.pool.query('select 1 from dead_values')).rowCount, 0);
  }));

  it('written before there was such a place are still read, and replaced', () => scene(async (s) => {
    await s.commit(await s.put({ k: '1', old: '"old"' }, { store: null }), { mapIndex: 0 });
    await s.push({ k: '2' }, { mapIndex: 1 });
    assert.equal(await s.read('k', null), '[1,2]');
    assert.equal(await s.read('old', 0), '"old"');
    await s.push({ k: '3' }, { mapIndex: 0 });
    assert.equal(await s.read('k', null), '[3,2]');
    assert.equal((await s.database.pool.query('select 1 from xcom_values')).rowCount, s.place.store === null ? 3 : 1, 'bytes that were replaced do not stay behind');
  }));

  it('are readable when the place was given up only as long as it is there', () => scene(async (s) => {
    await s.push({ k: '1' });
    // LEOFLOW_REDIS_URL is not set any more.
    const asked = findXComValue(s.database.pool, { run: s.run, dagId: 'd', runId: null, taskId: 't', key: 'k', mapIndex: -1 }, null);
    if (s.place.store === null) assert.equal(await asked, '1');
    else await assert.rejects(asked, (error: unknown) => error instanceof AppError && error.code === 'invalid_config' && /LEOFLOW_REDIS_URL/.test(error.message));
    await s.commit(await s.put({ k: '2' }, { store: null }));
    assert.equal(await s.read('k'), '2');
    await s.sweep(EPOCH);
    assert.equal(await s.place.count(), s.place.store === null ? 1 : 0);
  }));
}
