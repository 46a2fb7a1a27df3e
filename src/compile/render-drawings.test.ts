// Drawings as YAML text: what is read back is what was written, in a form that people like to read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Drawing } from '#contract/drawing.ts';
import { renderDrawings } from './render-drawings.ts';
import { readYaml } from './yaml-places.ts';

const drawings = [
  { tasks: { a: { retries: 2, after: ['g'], with: { x: { xcom: 'g.b' } }, python: 'f.py#a' }, g: { expand: { v: [1, 2] }, tasks: { b: { operator: 'BashOperator', bash_command: 'line one\nline two: {{ ds }}\n' } } } }, dag_id: 'one', schedule: '@daily' },
  { dag_id: 'two', tasks: { a: { command: ['sh', '-c', 'x'.repeat(200)] }, yes: { operator: 'EmptyOperator', doc_md: 'on' } } },
] as unknown as Drawing[];

test('what was written is read back', () => {
  assert.deepEqual(readYaml(renderDrawings(drawings, 'f.py')).documents.map(({ value }) => value), drawings);
});

test('the text reads as a person would write it', () => {
  assert.equal(renderDrawings(drawings.slice(0, 1), 'f.py'), [
    '# Converted from f.py, which still holds the functions that run.', 'dag_id: one', 'schedule: "@daily"', 'tasks:', '  a:', '    python: f.py#a', '    with: {x: {xcom: g.b}}', '    retries: 2', '    after: [g]',
    '  g:', '    expand: {v: [1, 2]}', '    tasks:', '      b:', '        operator: BashOperator', '        bash_command: |', '          line one', '          line two: {{ ds }}', '',
  ].join('\n'));
});
