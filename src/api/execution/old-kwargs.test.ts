// Literals are what Airflow 3.2.1's own server made of the same arguments for clients of version 2025-11-05.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExact } from '#core/exact-json.ts';
import { fromOldKwargs, toOldKwargs } from './old-kwargs.ts';

const converted = (text: string): string => JSON.stringify(toOldKwargs(parseExact(text)));

test('serde becomes the older form, value by value', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['"success"', '"success"'], ['1', '1'], ['1.0', '1.0'], ['true', 'true'], ['null', 'null'], ['[1,{"a":null}]', '[1,{"__type":"dict","__var":{"a":null}}]'],
    ['{"__classname__":"builtins.tuple","__version__":1,"__data__":[1,"x"]}', '{"__type":"tuple","__var":[1,"x"]}'],
    ['{"__classname__":"builtins.set","__version__":1,"__data__":[1]}', '{"__type":"set","__var":[1]}'],
    ['{"__classname__":"pendulum.datetime.DateTime","__version__":2,"__data__":{"timestamp":1767225600.0,"tz":{"__classname__":"builtins.tuple","__version__":1,"__data__":["UTC"]}}}', '{"__type":"datetime","__var":1767225600.0}'],
    ['{"__classname__":"datetime.datetime","__version__":2,"__data__":{"timestamp":1767268800.0,"tz":null}}', '{"__type":"datetime","__var":1767268800.0}'],
    ['{"__classname__":"datetime.timedelta","__version__":2,"__data__":90.0}', '{"__type":"timedelta","__var":90.0}'],
    ['{"__classname__":"datetime.date","__version__":2,"__data__":"2026-01-02"}', '"2026-01-02"'],
    ['{"__classname__":"pendulum.tz.timezone.Timezone","__version__":1,"__data__":"Europe/Paris"}', '{"__type":"timezone","__var":"Europe/Paris"}'],
  ];
  for (const [serde, old] of cases) assert.equal(converted(`{"event":${serde}}`), `{"__type":"dict","__var":{"event":${old}}}`);
});

test('what is in the older form already stays, and so does nothing', () => {
  assert.equal(converted('{"__type":"dict","__var":{"event":{"__type":"dict","__var":{}}}}'), '{"__type":"dict","__var":{"event":{"__type":"dict","__var":{}}}}');
  assert.equal(toOldKwargs(null), null);
});

test('the older form becomes serde, and goes back as it came', () => {
  const utc = '{"__classname__":"builtins.tuple","__version__":1,"__data__":["UTC","pendulum.tz.timezone.Timezone",1,true]}';
  const cases: readonly (readonly [string, string])[] = [
    ['1152921504606846976', '1152921504606846976'], ['1.0', '1.0'], ['[1,{"__type":"dict","__var":{"a":null}}]', '[1,{"a":null}]'],
    ['{"__type":"tuple","__var":[1,{"__type":"set","__var":["x"]}]}', '{"__classname__":"builtins.tuple","__version__":1,"__data__":[1,{"__classname__":"builtins.set","__version__":1,"__data__":["x"]}]}'],
    ['{"__type":"datetime","__var":1767355200.0}', `{"__classname__":"pendulum.datetime.DateTime","__version__":2,"__data__":{"timestamp":1767355200.0,"tz":${utc}}}`],
    ['{"__type":"timedelta","__var":90.0}', '{"__classname__":"datetime.timedelta","__version__":2,"__data__":90.0}'],
    ['{"__type":"timezone","__var":"Europe/Paris"}', '{"__classname__":"pendulum.tz.timezone.Timezone","__version__":1,"__data__":"Europe/Paris"}'],
    ['{"__type":"timezone","__var":3600}', '{"__classname__":"pendulum.tz.timezone.FixedTimezone","__version__":1,"__data__":3600}'],
    ['{"__type":"relativedelta","__var":{"days":1}}', '{"__type":"relativedelta","__var":{"days":1}}'],
  ];
  for (const [old, serde] of cases) {
    const sent = `{"__type":"dict","__var":{"kept":${old}}}`;
    const stored = JSON.stringify(fromOldKwargs(parseExact(sent)));
    assert.equal(stored, `{"kept":${serde}}`);
    assert.equal(converted(stored), sent);
  }
  assert.deepEqual(fromOldKwargs({ kept: { __classname__: 'x' } }), { kept: { __classname__: 'x' } });
});
