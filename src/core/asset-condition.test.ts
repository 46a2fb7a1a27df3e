// Conditions on assets: what they name, and when they hold.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { conditionHolds, conditionOf, partsOfCondition, type QueuedAsset } from './asset-condition.ts';

const asset = (name: string, rest: object = {}): object => ({ __type: 'asset', name, uri: `s3://${name}`, group: 'asset', extra: {}, ...rest });
const queued = (name: string, rest: Partial<QueuedAsset> = {}): QueuedAsset => ({ name, uri: `s3://${name}`, isActive: true, aliases: [], ...rest });
const any = (...objects: object[]): object => ({ __type: 'asset_any', objects });
const all = (...objects: object[]): object => ({ __type: 'asset_all', objects });

describe('conditions on assets', () => {
  test('any, all and nests of them hold as Airflow evaluates them', () => {
    const nested = all(asset('a'), any(asset('b'), asset('c')));
    const holds = (...names: string[]): boolean => conditionHolds(nested, names.map((name) => queued(name)));
    assert.deepEqual([holds(), holds('a'), holds('b', 'c'), holds('a', 'c'), holds('a', 'b'), holds('a', 'b', 'x')], [false, false, false, true, true, true]);
    assert.equal(conditionHolds(asset('a'), [queued('a', { uri: 's3://other' })]), false, 'an asset is its name and its URI');
  });

  test('an alias holds by any asset that was given to it, a reference by an active asset only', () => {
    assert.equal(conditionHolds({ __type: 'asset_alias', name: 'al' }, [queued('x', { aliases: ['other', 'al'] })]), true);
    assert.equal(conditionHolds({ __type: 'asset_alias', name: 'al' }, [queued('al')]), false);
    assert.equal(conditionHolds({ __type: 'asset_ref', name: 'a' }, [queued('a')]), true);
    assert.equal(conditionHolds({ __type: 'asset_ref', name: 'a' }, [queued('a', { isActive: false })]), false);
    assert.equal(conditionHolds({ __type: 'asset_ref', uri: 's3://a' }, [queued('a')]), true);
    assert.equal(conditionHolds({ __type: 'asset_ref', uri: 's3://b' }, [queued('a')]), false);
  });

  test('everything that a condition names is listed, with its watchers', () => {
    const watcher = { name: 'w', trigger: { classpath: 'x.Y', kwargs: { path: '/a' } } };
    const parts = partsOfCondition(any(all(asset('a', { watchers: [watcher] }), asset('b', { group: 'g', extra: { k: 1 } })), { __type: 'asset_alias', name: 'al', group: 'ag' }, { __type: 'asset_ref', name: 'n' }, { __type: 'asset_ref', uri: 'u' }));
    assert.deepEqual(parts, {
      assets: [
        { name: 'a', uri: 's3://a', group: 'asset', extra: {}, watchers: [{ name: 'w', classpath: 'x.Y', kwargs: { path: '/a' } }] },
        { name: 'b', uri: 's3://b', group: 'g', extra: { k: 1 }, watchers: [] },
      ],
      aliases: [{ name: 'al', group: 'ag' }], names: ['n'], uris: ['u'],
    });
  });

  test('timetables of time have no condition, those of assets theirs', () => {
    const condition = asset('a');
    assert.equal(conditionOf({ kind: 'once' }), null);
    assert.equal(conditionOf({ kind: 'assets', condition }), condition);
    assert.equal(conditionOf({ kind: 'asset_or_time', condition, timetable: { kind: 'once' } }), condition);
    assert.equal(conditionOf({ kind: 'custom', class: 'x', data: { asset_condition: condition } }), condition);
    assert.equal(conditionOf({ kind: 'custom', class: 'x', data: null }), null);
  });
});
