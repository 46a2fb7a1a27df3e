// The form of dag.yaml documents: every problem in its place, and what is left of a document that has some.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkDrawing } from './check-drawing.ts';
import { readYaml } from './yaml-places.ts';
import { yamlSchema } from './yaml-schema.ts';

function check(text: string): { told: string[]; sound: unknown } {
  const { documents, problems } = readYaml(text);
  assert.deepEqual(problems, []);
  const [document] = documents;
  assert.ok(document !== undefined);
  const checked = checkDrawing(document);
  return { told: checked.problems.map(({ line, column, message }) => `${line}:${column} ${message}`), sound: checked.sound };
}

describe('the form of a dag.yaml', () => {
  it('sound documents have nothing to tell, anchors and merge keys included', () => {
    const { told, sound } = check('x-base: &base {retries: 2}\ntasks:\n  a: {python: f.py#a, <<: *base}\n  on: {operator: BashOperator, bash_command: yes}\n');
    assert.deepEqual(told, []);
    assert.deepEqual((sound as { tasks: unknown }).tasks, { a: { python: 'f.py#a', retries: 2 }, on: { operator: 'BashOperator', bash_command: 'yes' } });
  });

  it('everything at once, by the form that was meant', () => {
    const { told, sound } = check([
      'schedul: x', 'tasks:', '  a: {python: f.py#a, retrys: 1}', '  b: {command: ls, python: f.py#a}', '  c: {pyton: f.py#a}', '  d: [1]',
      '  e: {operator: EmptyOperator, trigger_rule: all_don}', '  g:', '    tooltp: x', '    tasks: {h: {http: {url: 3}}, i: {command: ls}}', '  "no id": {command: ls}',
    ].join('\n'));
    assert.deepEqual(told, [
      '1:1 unknown key schedul (did you mean schedule?)', '3:23 a: unknown key retrys (did you mean retries?)', '4:3 b has python and command: an entry has one of them',
      '5:3 c says nothing to run: one of python, node, operator, command, http, tasks (did you mean python?)', '6:3 d must be a mapping: a task, or a group with tasks: in it',
      told[5] ?? '', '9:5 g: unknown key tooltp (did you mean tooltip?)', '10:29 h: http.url: must be a text', '11:3 "no id" is no id: 1 to 250 letters, digits, dashes, dots and underscores',
    ]);
    assert.match(told[5] ?? '', /^7:46 e: trigger_rule: must be one of .*did you mean all_done/);
    assert.deepEqual(sound, { tasks: { a: null, b: null, c: null, d: null, e: null, g: { tasks: { h: null, i: { command: 'ls' } } }, 'no id': null } });
  });

  it('texts of a form are told by what they should be', () => {
    assert.deepEqual(check('tasks: {a: {python: f, retry_delay: 5x}}\n').told, ['1:21 a: python: must name a function: file.py#function', '1:37 a: retry_delay: must be seconds, or a text such as 30s, 5m, 2h, 1h30m, 1d']);
    const deep = `tasks: ${'{g: {tasks: '.repeat(60)}{a: {command: ls}}${'}}'.repeat(60)}\n`;
    assert.match(check(deep).told.join(), /groups are nested deeper than 32$/);
  });

  it('what is no DAG at all says what a DAG is', () => {
    assert.deepEqual(check('- 1\n').told, ['1:1 a DAG is a mapping with tasks: in it; this is a list']);
    assert.deepEqual(check('5\n').told, ['1:1 a DAG is a mapping with tasks: in it; this is a single value']);
    assert.match(check('dag_id: a\n').told.join(), /^1:1 tasks is missing/);
    assert.match(check('tasks:\n').told.join(), /tasks must be a mapping/);
  });

  it('the published schema has no references and knows what operators take', () => {
    const text = JSON.stringify(yamlSchema());
    assert.ok(!text.includes('"$ref"') && !text.includes('"$defs"'));
    assert.match(text, /"if":\{"properties":\{"operator":\{"const":"BashOperator"\}\}/);
  });
});
