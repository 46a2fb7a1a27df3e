// The answer is found whole among noise, or not at all.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { FrameReader } from './frame.ts';

const SENTINEL = '0123456789abcdef0123456789abcdef';
const frameOf = (payload: string, more: { sentinel?: string; sha256?: string; bytes?: number } = {}): string =>
  `LEOFLOW-XCOM/1 ${more.sentinel ?? SENTINEL} ${more.bytes ?? Buffer.byteLength(payload)} ${more.sha256 ?? createHash('sha256').update(payload).digest('hex')}\n${payload}\n`;

function readAll(stream: string, step = 7): string | null {
  const reader = new FrameReader(SENTINEL);
  const bytes = Buffer.from(stream);
  for (let at = 0; at < bytes.length; at += step) {
    const found = reader.push(bytes.subarray(at, at + step));
    if (found !== null) return found.payload.toString();
  }
  return null;
}

test('an answer is found whatever stands before and after it, however the stream is cut into parts', () => {
  const payload = JSON.stringify({ text: 'a\nb', more: 'x'.repeat(300) });
  for (const step of [1, 2, 3, 64, 10_000]) {
    for (const noise of ['', 'warning: something\n', 'LEOFLOW-XCOM/1 ', `LEOFLOW-XCOM/1 ${SENTINEL} no header\n`, 'y'.repeat(5000)]) assert.equal(readAll(`${noise}${frameOf(payload)}${noise}`, step), payload, `${step} ${noise.slice(0, 20)}`);
  }
});

test('an answer cut at any byte is not an answer', () => {
  const stream = frameOf('{"rows":[1,2,3]}');
  for (let length = 0; length < stream.length - 1; length += 1) assert.equal(readAll(stream.slice(0, length)), null, String(length));
  assert.equal(readAll(stream.slice(0, -1)), '{"rows":[1,2,3]}', 'the last line feed is not part of it');
});

test('a changed byte, an answer to another question and lengths that lie are not answers', () => {
  const whole = frameOf('{"rows":[]}');
  for (let at = whole.indexOf('\n') + 1; at < whole.length - 1; at += 1) assert.equal(readAll(`${whole.slice(0, at)}#${whole.slice(at + 1)}`), null, String(at));
  assert.equal(readAll(frameOf('{"rows":[]}', { sentinel: 'f'.repeat(32) })), null);
  assert.equal(readAll(frameOf('{"rows":[]}', { bytes: 5 })), null);
  assert.equal(readAll(frameOf('{"rows":[]}', { sha256: 'zz' })), null);
});

test('a damaged answer does not hide the whole one behind it', () => {
  assert.equal(readAll(`${frameOf('{"a":1}', { sha256: '0'.repeat(64) })}${frameOf('{"a":2}')}`), '{"a":2}');
});
