// Numbers of other languages pass through unchanged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExact } from './exact-json.ts';

test('what is read is written again as it stood', () => {
  for (const text of ['{"a":1.0,"b":[12345678901234567890,-0.0,1e400,0.1],"c":{"d":1e3}}', '5.0', '"text"', 'null', '[1,2.5]']) assert.equal(JSON.stringify(parseExact(text)), text);
});

test('ordinary values are themselves, and what is no JSON is refused', () => {
  assert.deepEqual(parseExact('{"a":[1,"x",null,true]}'), { a: [1, 'x', null, true] });
  assert.throws(() => parseExact('{bad'), SyntaxError);
});
