// What branches of Airflow remember of their choice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipDecisionOf } from './skip-decision.ts';

test('a choice is read from the XCom that operators keep it in, whatever the SDK made of its list', () => {
  assert.deepEqual(skipDecisionOf('{"followed": ["a", "b"]}'), { followed: ['a', 'b'] });
  assert.deepEqual(skipDecisionOf('{"skipped": []}'), { skipped: [] });
  assert.deepEqual(skipDecisionOf('{"followed": {"__classname__": "builtins.set", "__version__": 1, "__data__": ["a"]}}'), { followed: ['a'] });
  for (const text of ['null', '1', '[]', '{}', '{"followed": 5}', '"x"']) assert.equal(skipDecisionOf(text), null, text);
});
