// A graph in characters and as SVG, as people see it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GraphTask, renderGraph, renderSvg } from './graph-view.ts';

const task = (id: string, after: readonly string[] = [], note: string | null = null, group: string | null = null): GraphTask => ({ id, label: id, after, note, group });

test('forks and joins are lines that meet', () => {
  assert.equal(renderGraph([task('a'), task('b', ['a']), task('c', ['a'], 'mapped'), task('d', ['b', 'c'])]), [
    '○ a ─┬─▶ ○ b ──────────┬─▶ ○ d',
    '     ╰─▶ ○ c (mapped) ─╯',
    '',
  ].join('\n'));
});

test('lines of two tasks never run together', () => {
  assert.equal(renderGraph([task('a'), task('b'), task('c', ['a']), task('d', ['b']), task('e', ['a', 'b']), task('f', ['c', 'd', 'e'])]), [
    '○ a ──┬─▶ ○ c ──╮',
    '○ b ─┬┴─▶ ○ e ─┬┴─▶ ○ f',
    '     ╰──▶ ○ d ─╯',
    '',
  ].join('\n'));
});

test('no tasks', () => assert.equal(renderGraph([]), '(no tasks)\n'));

test('the SVG holds each task, edge and group, and what stands in names is escaped', () => {
  const svg = renderSvg('a<b>', [task('s'), task('g.a', ['s'], 'branch', 'g'), task('g.b', ['g.a'], null, 'g')]);
  assert.deepEqual([svg.match(/class="t"/g)?.length, svg.match(/class="e"/g)?.length, svg.match(/class="g"/g)?.length], [3, 2, 1]);
  assert.ok(svg.includes('a&lt;b&gt;') && !svg.includes('<b>'));
});
