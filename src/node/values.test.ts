// Values of a task in Node: JSON and back, which element a map index gets, lines of the log, and secrets in them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Drawing } from '#contract/drawing.ts';
import { everythingAfter, readDrawing } from '#sdk/drawn-dag.ts';
import { decodeValue, encodeValue } from '#sdk/json-values.ts';
import { ResolveValues } from '#sdk/resolve-values.ts';
import { Masking } from './masking.ts';
import { cutText, makeLine } from './task-log.ts';

function draw(tasks: object): ReturnType<typeof readDrawing> {
  return readDrawing({ dag_id: 'd', tasks } as Drawing);
}

/** Values by `task/key` or `task/key/index`; the index null reads the list. */
async function resolve(tasks: object, at: { task: string; index: number; params?: Readonly<Record<string, unknown>> }, xcoms: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const graph = draw(tasks);
  const text = (name: string): Promise<string | null> => Promise.resolve(name in xcoms ? JSON.stringify(xcoms[name]) : null);
  return new ResolveValues({ graph, task: graph.tasks.get(at.task) ?? assert.fail(), mapIndex: at.index, params: at.params ?? {} }, {
    findOne: (task, key, index) => text(index < 0 ? `${task}/${key}` : `${task}/${key}/${index}`), findAll: (task, key) => text(`${task}/${key}`), findFunction: () => Promise.resolve((value) => `<${String(value)}>`),
  }).arguments();
}

describe('JSON', () => {
  it('what has no JSON form is refused with its place', () => {
    const circular: unknown[] = [];
    circular.push({ back: circular });
    for (const [value, wanted] of [[circular, /holds itself \(at \[0\]\.back\)/], [{ a: [1n] }, /bigint.*\(at \.a\[0\]\)/], [() => 1, /a function/], [Symbol('s'), /a symbol/], [new Set([1]), /a Set/], [{ m: new Map() }, /a Map.*at \.m/], [Number.NaN, /NaN/], [new Uint8Array(1), /binary/], [Promise.resolve(1), /await it/], [new Error('e'), /an Error/]] as const) assert.throws(() => encodeValue(value), wanted);
    const twice = { n: 1 };
    assert.equal(encodeValue({ d: new Date(0), u: undefined, l: [undefined], a: twice, b: twice }), '{"d":"1970-01-01T00:00:00.000Z","l":[null],"a":{"n":1},"b":{"n":1}}');
  });

  it('what Python wrapped is opened', () => {
    const wrap = (name: string, data: unknown): object => ({ __classname__: name, __version__: 1, __data__: data });
    const text = JSON.stringify({ t: wrap('builtins.tuple', [1, wrap('builtins.set', [2])]), d: wrap('datetime.datetime', { timestamp: 0, tz: null }), x: wrap('decimal.Decimal', 1.5) });
    assert.deepEqual(decodeValue(text), { t: [1, [2]], d: '1970-01-01T00:00:00.000Z', x: 1.5 });
  });
});

describe('arguments', () => {
  it('combinations vary the last argument fastest, pairs of a mapping count as elements', async () => {
    const tasks = { a: { node: 'x#a' }, t: { node: 'x#t', with: { fixed: { literal: { xcom: 'a' } } }, expand: { x: { xcom: 'a' }, y: [10, 20] } } };
    const rows = await Promise.all([0, 1, 2, 3].map((index) => resolve(tasks, { task: 't', index }, { 'a/return_value': { k: 1, l: 2 } })));
    assert.deepEqual(rows.map(({ x, y }) => [x, y]), [[['k', 1], 10], [['k', 1], 20], [['l', 2], 10], [['l', 2], 20]]);
    assert.deepEqual(rows[0]?.['fixed'], { xcom: 'a' });
  });

  it('rows, zips with a fill value, concatenations and functions', async () => {
    const from = (value: object): object => ({ a: { node: 'x#a' }, b: { node: 'x#b' }, t: { node: 'x#t', with: { v: value } } });
    const xcoms = { 'a/return_value': [1, 2], 'b/return_value': ['p'], 'a/other': 'named' };
    const v = async (value: object): Promise<unknown> => (await resolve(from(value), { task: 't', index: -1 }, xcoms))['v'];
    assert.deepEqual(await v({ zip: [{ xcom: 'a' }, { xcom: 'b' }], fillvalue: null }), [[1, 'p'], [2, null]]);
    assert.deepEqual(await v({ zip: [{ xcom: 'a' }, { xcom: 'b' }] }), [[1, 'p']]);
    assert.deepEqual(await v({ zip: [{ xcom: 'a' }, { xcom: 'b' }], fillvalue: { literal: { xcom: 'a' } } }), [[1, 'p'], [2, { xcom: 'a' }]]);
    assert.deepEqual(await v({ concat: [{ xcom: 'a' }, { xcom: 'b' }] }), [1, 2, 'p']);
    assert.deepEqual(await v({ map: { xcom: 'a' }, through: 'x#f' }), ['<1>', '<2>']);
    assert.deepEqual(await v({ deep: [{ xcom: 'a', key: 'other' }] }), { deep: ['named'] });
    await assert.rejects(v({ xcom: 'a', key: 'never' }), /the task a pushed no XCom never/);
    assert.deepEqual(await resolve({ a: { node: 'x#a' }, t: { node: 'x#t', expand_rows: [{ n: 1 }, { n: { xcom: 'a' } }] } }, { task: 't', index: 1 }, xcoms), { n: [1, 2] });
  });

  it('params have their value in the run; what only looks like a form is data, in edges as well', async () => {
    const given = { day: { param: 'day' }, plain: { map: 'eu' }, deep: [{ zip: '10115', city: { param: 'day' } }], both: { literal: 1, of: { xcom: 'a' } }, typo: { xcom: 'a', kee: 'k' } };
    const tasks = { a: { node: 'x#a' }, t: { node: 'x#t', with: given } };
    const got = await resolve(tasks, { task: 't', index: -1, params: { day: 'monday' } }, { 'a/return_value': 7 });
    assert.deepEqual(got, { day: 'monday', plain: { map: 'eu' }, deep: [{ zip: '10115', city: 'monday' }], both: { literal: 1, of: 7 }, typo: { xcom: 'a', kee: 'k' } });
    assert.deepEqual([...(draw(tasks).tasks.get('t')?.upstream ?? [])], ['a']);
    assert.equal(draw({ a: { node: 'x#a' }, t: { node: 'x#t', with: { v: { xcom: 'a', kee: 'k' } } } }).tasks.get('t')?.upstream.size, 0);
    await assert.rejects(resolve(tasks, { task: 't', index: -1 }, { 'a/return_value': 7 }), /the DAG has no param day/);
  });

  it('inside mapped groups an instance gets its own neighbour’s value, from outside all', async () => {
    const tasks = {
      outer: { expand: { x: [1, 2] }, tasks: {
        one: { node: 'x#one', with: { x: { argument: 'x' } } },
        inner: { expand: { y: ['a', 'b', 'c'] }, tasks: { two: { node: 'x#two', with: { y: { argument: 'y' }, x: { argument: 'x' }, one: { xcom: 'outer.one' } } } } },
        last: { node: 'x#last', with: { twos: { xcom: 'outer.inner.two' } } },
      } },
      after: { node: 'x#after', with: { all: { xcom: 'outer.one' } } },
    };
    const xcoms = { 'outer.one/return_value/1': 'one of 1', 'outer.one/return_value': ['p', 'q'], ...Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`outer.inner.two/return_value/${index}`, index])) };
    assert.deepEqual(await resolve(tasks, { task: 'outer.inner.two', index: 4 }, xcoms), { y: 'b', x: 2, one: 'one of 1' });
    assert.deepEqual(await resolve(tasks, { task: 'outer.last', index: 1 }, xcoms), { twos: [3, 4, 5] });
    assert.deepEqual(await resolve(tasks, { task: 'after', index: -1 }, xcoms), { all: ['p', 'q'] });
  });
});

describe('edges', () => {
  it('groups stand for their first and last tasks, teardowns follow their setups and are no last ones', () => {
    const graph = draw({
      a: { node: 'x#a', setup: true }, g: { after: ['a'], tasks: { p: { node: 'x#p' }, q: { node: 'x#q', after: ['g.p'] }, clean: { node: 'x#c', teardown: ['a'], after: ['g.q'] } } }, z: { node: 'x#z', after: [{ task: 'g', label: 'l' }] },
    });
    const upstream = Object.fromEntries([...graph.tasks].map(([id, task]) => [id, [...task.upstream].sort()]));
    assert.deepEqual(upstream, { a: [], 'g.p': ['a'], 'g.q': ['g.p'], 'g.clean': ['a', 'g.q'], z: ['g.q'] });
    assert.deepEqual(everythingAfter(graph, 'a', 'work').sort(), ['g.p', 'g.q', 'z']);
  });
});

describe('the log', () => {
  it('a line is at most 64 KiB, cut between characters, and says what is missing', () => {
    const line = makeLine('info', '€'.repeat(40_000), { logger: 'task', place: { file: '/a/b.ts', line: 3, column: 1 } });
    const record = JSON.parse(line.toString('utf8')) as Record<string, unknown>;
    assert.ok(line.length <= 65_536);
    assert.match(String(record['event']), /^€+… \[\d+ bytes dropped\]$/);
    assert.deepEqual([record['filename'], record['lineno'], record['logger']], ['b.ts', 3, 'task']);
    assert.match(String(record['timestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(cutText('short', 100), 'short');
  });

  it('secrets are masked in every form in which they are often written', () => {
    const masking = new Masking();
    masking.add('p@ss word/1');
    masking.addNamed('{"api_key": "abcdef", "plain": "visible", "deep": [{"token": 123456}]}');
    const text = `p@ss word/1 ${encodeURIComponent('p@ss word/1')} ${Buffer.from('xp@ss word/1y').toString('base64')} abcdef 123456 visible`;
    const masked = masking.mask(text);
    for (const secret of ['p@ss', 'p%40ss', 'abcdef', '123456']) assert.ok(!masked.includes(secret), masked);
    assert.match(masked, /visible$/);
  });
});
