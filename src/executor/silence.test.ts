// A process that says nothing for too long is told once; a pause of this server is nobody's silence.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { useTimeSource } from '#platform/clock.ts';
import { Silence } from './silence.ts';

let now = 0;
describe('silence', () => {
  beforeEach(() => {
    now = 100_000;
    useTimeSource({ monotonicMs: () => now, wallMs: () => now, after: () => () => undefined });
  });
  afterEach(() => useTimeSource(null));

  /** One look a second. @returns who was silent, with the second */
  function watch(silence: Silence, seconds: number, each: (second: number) => void = () => undefined): string[] {
    const found: string[] = [];
    for (let second = 1; second <= seconds; second += 1) {
      now += 1000;
      each(second);
      found.push(...silence.take().map((who) => `${who} ${second}`));
    }
    return found;
  }

  it('tells who is silent, once, and not who speaks', () => {
    const silence = new Silence(30);
    silence.take();
    silence.hear('a');
    silence.hear('b');
    assert.deepEqual(watch(silence, 100, (second) => second % 5 === 0 && silence.hear('b')), ['a 31']);
  });

  it('gives a short limit three signs of life', () => {
    const silence = new Silence(1);
    silence.take();
    silence.hear('a');
    assert.deepEqual(watch(silence, 20), ['a 16']);
  });

  it('a pause of this server is nobody’s silence, and ends nobody’s', () => {
    const silence = new Silence(30);
    silence.take();
    silence.hear('a');
    assert.deepEqual(watch(silence, 20), []);
    now += 3_600_000;
    assert.deepEqual(watch(silence, 9), []);
    assert.deepEqual(watch(silence, 9), ['a 3']);
  });

  it('who is gone is not missed', () => {
    const silence = new Silence(30);
    silence.hear('a');
    silence.hear('b');
    silence.forget('a');
    assert.deepEqual(watch(silence, 40).map((told) => told.split(' ')[0]), ['b']);
    silence.hear('c');
    silence.forgetAll();
    assert.deepEqual(watch(silence, 40), []);
  });
});
