// The layout of graphs: columns by depth, bends where an edge passes, groups together, straight chains.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DrawnNode, layOut } from './graph-layout.ts';

const node = (id: string, after: readonly string[] = [], group: string | null = null): DrawnNode => ({ id, after, group });

test('a chain is a line, and an edge over two columns has a bend', () => {
  const { columns, rows, segments } = layOut([node('a'), node('b', ['a']), node('c', ['a', 'b'])]);
  assert.deepEqual(columns.map((column) => column.map((cell) => cell.id)), [['a'], ['b', null], ['c']]);
  assert.deepEqual([rows, segments.length], [2, 4]);
});

test('members of a group stand side by side', () => {
  const { columns } = layOut([node('s'), node('g.a', ['s'], 'g'), node('x', ['s']), node('g.b', ['s'], 'g'), node('y', ['s']), node('g.c', ['s'], 'g')]);
  const second = (columns[1] ?? []).map((cell) => cell.id ?? '');
  const at = second.flatMap((id, index) => (id.startsWith('g.') ? [index] : []));
  assert.equal((at.at(-1) ?? 0) - (at[0] ?? 0), 2, second.join(' '));
});

test('any graph: every task once, every edge goes right, no two cells in one place', () => {
  fc.assert(fc.property(fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 30 }), (edges) => {
    const nodes = edges.map((after, index) => node(`t${index}`, [...new Set(after.filter((one) => one < index))].map((one) => `t${one}`), index % 3 === 0 ? 'g' : null));
    const { columns, segments } = layOut(nodes);
    const cells = columns.flat();
    assert.deepEqual(cells.flatMap((cell) => cell.id ?? []).sort(), nodes.map((one) => one.id).sort());
    assert.ok(segments.every(({ from, to }) => to.column === from.column + 1));
    assert.equal(new Set(cells.map((cell) => `${cell.column} ${cell.row}`)).size, cells.length);
    const ends = new Set(segments.filter(({ to }) => to.id !== null).map(({ source, target }) => `${source} ${target}`));
    assert.equal(ends.size, nodes.reduce((sum, one) => sum + one.after.length, 0));
  }));
});
