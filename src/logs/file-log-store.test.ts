// The file log store on real files: whole lines, continuation, raw output, files that are not there.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { createFileLogStore, logFile } from './file-log-store.ts';
import { LOG_START } from './log-store.ts';

const home = mkdtempSync(join(tmpdir(), 'leoflow-logs-'));
after(() => rmSync(home, { recursive: true, force: true }));
const store = createFileLogStore(home);

function write(id: string, text: string): void {
  mkdirSync(dirname(logFile(home, id)), { recursive: true });
  appendFileSync(logFile(home, id), text);
}

test('the file of an execution lies in the folder of its last two digits', () => {
  assert.equal(logFile('/home', '01900000-0000-7000-8000-0000000000ab'), '/home/logs/executions/ab/01900000-0000-7000-8000-0000000000ab.ndjson');
});

test('an execution that wrote nothing is empty', async () => {
  assert.deepEqual(await store.readLog(['none'], { position: LOG_START, maxBytes: 100 }), { messages: [], position: { execution: 0, offset: 0 }, atEnd: true });
  assert.deepEqual(await store.readLog([], { position: LOG_START, maxBytes: 100 }), { messages: [], position: { execution: 0, offset: 0 }, atEnd: true });
});

test('JSON lines are messages, everything else is raw output', async () => {
  write('lines-01', '{"event":"one","level":"info","extra":{"a":1}}\nplain text\n{"event":"broken\n[1]\n{"no":"event"}\n');
  const { messages } = await store.readLog(['lines-01'], { position: LOG_START, maxBytes: 1000 });
  assert.deepEqual(messages, [
    { event: 'one', level: 'info', extra: { a: 1 } }, { event: 'plain text' }, { event: '{"event":"broken' }, { event: '[1]' }, { no: 'event', event: '{"no":"event"}' },
  ]);
});

test('executions follow each other, and a last line without its end waits', async () => {
  write('first-aa', 'a1\na2 without end');
  write('second-aa', 'b1\nb2 half');
  const one = await store.readLog(['first-aa', 'second-aa'], { position: LOG_START, maxBytes: 1000 });
  assert.deepEqual(one.messages.map((message) => message.event), ['a1', 'a2 without end', 'b1']);
  write('second-aa', ' and whole\n');
  const two = await store.readLog(['first-aa', 'second-aa'], { position: one.position, maxBytes: 1000 });
  assert.deepEqual(two.messages.map((message) => message.event), ['b2 half and whole']);
  assert.equal(two.atEnd, true);
});

test('portions of any size give every line once', async () => {
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index} ${'ä'.repeat(index)}`);
  write('many-bb', `${lines.join('\n')}\n`);
  for (const maxBytes of [130, 333, 1000, 100_000]) {
    const read: string[] = [];
    let position = LOG_START;
    for (let round = 0; round < 1000; round += 1) {
      const portion = await store.readLog(['many-bb'], { position, maxBytes });
      read.push(...portion.messages.map((message) => message.event));
      position = portion.position;
      if (portion.atEnd) break;
    }
    assert.deepEqual(read, lines);
  }
});

test('a line longer than the portion is cut, not lost', async () => {
  write('long-cc', `${'x'.repeat(300)}\n`);
  const portion = await store.readLog(['long-cc'], { position: LOG_START, maxBytes: 100 });
  assert.deepEqual(portion.messages, [{ event: 'x'.repeat(100) }]);
  assert.equal(portion.atEnd, false);
});

test('one that cannot be deleted keeps no other, and is told', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `kept-${10 + index}`);
  for (const name of names.slice(1)) write(name, 'x\n');
  // A folder in its place.
  mkdirSync(logFile(home, names[0] ?? ''), { recursive: true });
  await assert.rejects(store.deleteLogs(names), /directory/);
  for (const name of names.slice(1)) assert.equal(existsSync(logFile(home, name)), false, name);
});

test('deleting takes the file away and does not mind that it is gone', async () => {
  write('gone-dd', 'x\n');
  await store.deleteLogs(['gone-dd', 'gone-dd']);
  assert.deepEqual((await store.readLog(['gone-dd'], { position: LOG_START, maxBytes: 100 })).messages, []);
});
