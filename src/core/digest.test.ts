// Canonical JSON and its hash.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, contentHash } from './digest.ts';

describe('canonicalJson', () => {
  it('sorts keys by code unit at every level and drops undefined', () => {
    const value = { b: [1, { z: null, a: true }], a: 'é"\n', '\u{1F600}': 1, '\uFFFD': 2, Z: -0, gone: undefined };
    assert.equal(canonicalJson(value), '{"Z":0,"a":"é\\"\\n","b":[1,{"a":true,"z":null}],"\u{1F600}":1,"\uFFFD":2}');
  });

  it('gives one text for every order of keys, and the value back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const backwards = Object.fromEntries(Object.entries(value).reverse());
        assert.equal(canonicalJson(backwards), canonicalJson(value));
        assert.equal(canonicalJson(JSON.parse(canonicalJson(value))), canonicalJson(value));
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
  });

  it('writes members of the keys that objects treat apart', () => {
    assert.equal(canonicalJson(JSON.parse('{"__proto__":1,"10":2,"9":3}')), '{"10":2,"9":3,"__proto__":1}');
  });

  it('refuses what JSON cannot hold', () => {
    for (const value of [Number.NaN, Infinity, [undefined], undefined, () => 1, 1n, Symbol('s'), new Date(0), new Map(), { deep: [-Infinity] }]) {
      assert.throws(() => canonicalJson(value), TypeError);
    }
  });
});

describe('contentHash', () => {
  it('is the SHA-256 of the canonical text', () => {
    assert.equal(contentHash({}), '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
    assert.equal(contentHash({ a: 1, b: 2 }), contentHash({ b: 2, a: 1 }));
    assert.notEqual(contentHash({ a: 1 }), contentHash({ a: '1' }));
  });
});
