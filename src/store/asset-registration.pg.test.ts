// What registering versions makes of the assets that they name: known, referred to, active, and forgotten again.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { findAsset, listConflicting } from './asset-reads.ts';
import { markStale } from './dag-versions.ts';
import { deleteDag } from './dags.ts';
import type { Database } from './database.ts';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, dagOf, task } from '../../test/support/rows.ts';

type AssetRef = NonNullable<Dag['tasks'][number]['outlets']>[number];

const WATCHER = { name: 'w', trigger: { classpath: 'm.T', kwargs: { n: 1 } } };
const condition = (name: string, more: object = {}): object => ({ __type: 'asset', name, uri: `s3://${name}`, group: 'asset', extra: {}, ...more });
const onAssets = (dagId: string, ...objects: object[]): Dag => dagOf(dagId, [task('a')], { timetable: { kind: 'assets', condition: { __type: 'asset_all', objects } } });
const producing = (dagId: string, ...outlets: AssetRef[]): Dag => dagOf(dagId, [task('a', [], { outlets })]);

async function texts(database: Database, text: string): Promise<string[]> {
  return (await database.pool.query<{ text: string }>(text)).rows.map((row) => row.text);
}

const assets = (database: Database): Promise<string[]> => texts(database, "select name || ' ' || uri || case when active then ' active' else '' end as text from assets order by id");
const references = (database: Database): Promise<string[]> =>
  texts(database, "select concat_ws(' ', dag_id, kind, name, uri, asset_id is not null) as text from dag_asset_references union all select concat_ws(' ', dag_id, direction, task_id, (select name from assets where id = asset_id)) from task_asset_references order by 1");

describe('assets of a registered version', () => {
  it('are known and active, with what refers to them', () => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('a', [], { inlets: [{ name: 'i', uri: 's3://i', group: 'g', extra: { k: 1 } }, { name: 'elsewhere' }], outlets: [{ name: 'o', uri: 's3://o' }, { name: 'al', alias: true, group: 'ag' }] })], {
      timetable: { kind: 'asset_or_time', timetable: { kind: 'once' }, condition: { __type: 'asset_any', objects: [condition('s'), { __type: 'asset_alias', name: 'sal', group: 'asset' }, { __type: 'asset_ref', name: 'n' }, { __type: 'asset_ref', uri: 'u' }] } },
    }));
    assert.deepEqual(await assets(database), ['i s3://i active', 'o s3://o active', 's s3://s active']);
    assert.deepEqual(await references(database), ['d alias sal  f', 'd asset s s3://s t', 'd inlet a i', 'd name n  f', 'd outlet a o', 'd uri  u f']);
    assert.deepEqual(await texts(database, "select name || ' ' || alias_group as text from asset_aliases order by name"), ['al ag', 'sal asset']);
    const found = await findAsset(database, { name: 'i' });
    assert.deepEqual({ ...found, id: 0 }, { id: 0, name: 'i', uri: 's3://i', group: 'g', extra: '{"k":1}' });
  }));

  it('a new version lets go what the old one named; an asset that nobody names is not active any more, and its events stay', () => withDatabase(async (database) => {
    await addDag(database, producing('d', { name: 'a', uri: 's3://a' }, { name: 'b', uri: 's3://b' }));
    await addDag(database, onAssets('e', condition('b')));
    await addDag(database, producing('d', { name: 'c', uri: 's3://c' }));
    assert.deepEqual(await assets(database), ['a s3://a', 'b s3://b active', 'c s3://c active']);
    assert.deepEqual(await references(database), ['d outlet a c', 'e asset b s3://b t']);
    assert.equal(await findAsset(database, { name: 'a' }), null);
    await addDag(database, producing('d', { name: 'a', uri: 's3://a' }));
    assert.deepEqual(await assets(database), ['a s3://a active', 'b s3://b active', 'c s3://c']);
    await addDag(database, dagOf('d', [task('a')]));
    assert.deepEqual(await assets(database), ['a s3://a', 'b s3://b active', 'c s3://c']);
  }));

  it('of two assets with one name or one URI the first is active; the other as soon as it is let go', () => withDatabase(async (database) => {
    await addDag(database, producing('one', { name: 'a', uri: 's3://a' }));
    await addDag(database, producing('two', { name: 'a', uri: 's3://other' }, { name: 'another', uri: 's3://a' }));
    assert.deepEqual(await assets(database), ['a s3://a active', 'a s3://other', 'another s3://a']);
    assert.deepEqual(await listConflicting(database, [{ name: 'a', uri: 's3://a' }, { name: 'a', uri: 's3://other' }, { name: 'fine', uri: 's3://fine' }]), [{ name: 'a', uri: 's3://other' }]);
    await deleteDag(database, 'one');
    assert.deepEqual(await assets(database), ['a s3://a', 'a s3://other active', 'another s3://a active']);
  }));

  it('a DAG whose file is gone refers to nothing', () => withDatabase(async (database) => {
    await addDag(database, onAssets('d', condition('a', { watchers: [WATCHER] })));
    await markStale(database, ['d']);
    assert.deepEqual([await assets(database), await references(database), await texts(database, 'select name as text from asset_watchers')], [['a s3://a'], [], []]);
  }));

  it('a watcher keeps its id as long as its trigger is the same', () => withDatabase(async (database) => {
    const watchers = (): Promise<string[]> => texts(database, "select concat_ws(' ', id, name, kwargs) as text from asset_watchers order by kwargs");
    await addDag(database, onAssets('d', condition('a', { watchers: [WATCHER] })));
    const [first = ''] = await watchers();
    assert.match(first, / w \{"n":1\}$/);
    await addDag(database, onAssets('d', condition('a', { watchers: [WATCHER, { ...WATCHER, trigger: { classpath: 'm.T', kwargs: { n: 2 } } }] }), condition('b')));
    const [same, added = ''] = await watchers();
    assert.equal(same, first);
    assert.match(added, / w \{"n":2\}$/);
    await addDag(database, onAssets('d', condition('a')));
    assert.deepEqual(await watchers(), []);
  }));

  it('a DAG that goes over to partitions, or back, lets go what it can take no more; else what has come stays', () => withDatabase(async (database) => {
    const partitioned = (description: string): Dag => dagOf('d', [task('a')], { description, runtime: 'airflow', timetable: { kind: 'custom', class: 'm.T', data: { asset_condition: condition('a') }, partitioned: true } });
    const come = async (key: string | null): Promise<void> => {
      await database.pool.query("with e as (insert into asset_events (asset_id, partition_key, at) select id, $1, now() from assets returning *) insert into queued_asset_events (dag_id, asset_id, event_id, at) select 'd', asset_id, id, at from e", [key]);
    };
    const waiting = (): Promise<string[]> => texts(database, "select concat_ws(' ', 'queued', partition_key) as text from queued_asset_events q join asset_events e on e.id = q.event_id union all select 'of ' || partition_key from partition_events order by 1");
    await addDag(database, onAssets('d', condition('a')));
    await come(null);
    await addDag(database, { ...onAssets('d', condition('a')), description: 'again' });
    assert.deepEqual(await waiting(), ['queued']);
    await addDag(database, partitioned('first'));
    assert.deepEqual(await waiting(), []);
    await come('k');
    await database.pool.query("insert into partition_events (dag_id, partition_key, asset_id, event_id) select dag_id, 'K', asset_id, event_id from queued_asset_events");
    await addDag(database, partitioned('second'));
    assert.deepEqual(await waiting(), ['of K', 'queued k']);
    await addDag(database, { ...onAssets('d', condition('a')), description: 'back' });
    assert.deepEqual(await waiting(), []);
  }));

  it('two servers that register the same at once agree', () => withDatabase(async (database) => {
    await Promise.all([1, 2, 3, 4].map((n) => addDag(database, producing(`d${n}`, { name: 'a', uri: `s3://${n % 2}` }))));
    assert.equal((await assets(database)).filter((asset) => asset.endsWith('active')).length, 1);
    assert.equal((await references(database)).length, 4);
  }));
});
