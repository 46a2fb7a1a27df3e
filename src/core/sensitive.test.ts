// What is hidden by name, at any depth, and what a mask that comes back stands for.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isSensitive, maskText, maskValue, maskVariable, pythonJson, unmask, unmaskText } from './sensitive.ts';

it('names are sensitive by what they hold', () => {
  for (const name of ['password', 'db_PASSWORD', ' Token ', 'my_api_key_2', 'keyfile_dict', 'proxies', 'extra__google__access_token']) assert.ok(isSensitive(name), name);
  for (const name of ['host', 'pass', 'key', 'credential', '']) assert.ok(!isSensitive(name), name);
});

it('masks at any depth, numbers and texts of JSON too, and leaves the rest as it was', () => {
  const deep = Array.from({ length: 30 }, (_, n) => n).reduce<unknown>((inner) => ({ a: [inner] }), { token: 'x', port: 5 });
  assert.match(JSON.stringify(maskValue(deep)), /"token":"\*\*\*","port":5/);
  assert.deepEqual(maskValue({ secret: { a: 1, b: ['x', null, true] }, host: 'h' }), { secret: { a: '***', b: ['***', null, true] }, host: 'h' });
  assert.equal(maskText('{"x": "{\\"password\\": \\"p\\"}"}'), '{"x": "{\\"password\\": \\"***\\"}"}');
  const plain = { a: [{ b: 'c' }], d: '[1]' };
  assert.equal(maskValue(plain), plain);
  assert.equal(maskText('{"a":1}'), '{"a":1}');
  assert.deepEqual([maskVariable('my_token', '12345'), maskVariable('size', '12345'), maskVariable('conf', '{"api_key":"k","é":1}')], ['***', '12345', '{"api_key": "***", "\\u00e9": 1}']);
});

it('a mask keeps what it hid, where it hid something', () => {
  const stored = { password: 'p', host: '***', list: [{ token: 't' }], gone: 'x' };
  assert.deepEqual(unmask({ password: '***', host: '***', list: [{ token: '***' }, { token: '***' }], fresh: '***' }, stored), { password: 'p', host: '***', list: [{ token: 't' }, { token: '***' }], fresh: '***' });
  assert.equal(unmask('***', 'stored', 'password'), 'stored');
  assert.equal(unmask('***', 'stored', 'host'), '***');
  assert.equal(unmaskText('{"token": "***", "a": 2}', '{"token": "t", "a": 1}'), '{"token": "t", "a": 2}');
  assert.equal(unmaskText('{"a":2}', '{"a":1}'), '{"a":2}');
  assert.equal(pythonJson({ a: [1, 'ü', null], b: {} }), '{"a": [1, "\\u00fc", null], "b": {}}');
});

it('whatever is nested too deep is masked whole, comes back whole, and never ends the stack', () => {
  for (const depth of [5_000, 200_000]) {
    const list = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    assert.equal(maskVariable('deep', list), `${'['.repeat(64)}"***"${']'.repeat(64)}`);
    assert.equal(unmaskText(maskText(list), list), list);
    assert.equal(unmaskText(list, list), list);
    const object = `${'{"a": '.repeat(depth)}{"token": "t"}${'}'.repeat(depth)}`;
    assert.ok(!maskText(object).includes('"t"'));
    assert.equal(unmaskText(maskText(object), object), object);
    const hidden = `{"password": ${list}, "b": 1}`;
    assert.ok(maskText(hidden).endsWith('"b": 1}'));
    assert.equal(unmaskText(maskText(hidden), hidden), hidden);
  }
  const wide = `{"token": "t", "list": [${'1, '.repeat(300_000)}1]}`;
  assert.equal(unmaskText(maskText(wide), wide), wide);
  const edge = `${'['.repeat(64)}1${']'.repeat(64)}`;
  assert.equal(maskText(edge), edge);
});
