// Records of outcomes: torn ones, foreign ones, large ones, ones that are no reports, and files that grow, are put aside and removed meanwhile.
import assert from 'node:assert/strict';
import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ExecutionReport } from '#contract/attempt.ts';
import { type ExecutionId, makeUuidV7 } from '#contract/ids.ts';
import { OutcomeFiles } from './outcome-files.ts';

const newId = (): ExecutionId => makeUuidV7<ExecutionId>(Date.now());
const recordOf = (id: ExecutionId, more: object = {}): string => `\n${id} ${JSON.stringify({ execution_id: id, outcome: 'success', ...more })}\n`;

function parse(value: unknown): ExecutionReport {
  const report = value as ExecutionReport;
  if (!['success', 'failed'].includes(report.outcome)) throw new Error('no report');
  return report;
}

let folder = '';
let files = new OutcomeFiles('', parse);

describe('outcomes', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lf-'));
    files = new OutcomeFiles(folder, parse);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const append = (...records: readonly string[]): void => appendFileSync(files.path, records.join(''));
  const sweepFor = (...open: readonly ExecutionId[]): Promise<void> => files.sweep(() => open);

  describe('find', () => {
    it('nothing was left', async () => {
      assert.equal(await files.find(newId()), null);
      append('');
      assert.equal(await files.find(newId()), null);
    });

    it('one among others, whatever they say', async () => {
      const [a, b, stranger] = [newId(), newId(), newId()];
      append(recordOf(a, { error: { message: `a\n${stranger} {}\n` } }), recordOf(b, { exit_code: 3 }), `\n${stranger} ${JSON.stringify({ execution_id: a })}\n`);
      assert.equal((await files.find(b))?.exit_code, 3);
      assert.equal((await files.find(a))?.execution_id, a);
      assert.equal(await files.find(stranger), null, 'a record that names another is none of its own');
    });

    it('one that was cut short spoils neither the one before nor the next', async () => {
      const [torn, next, last] = [newId(), newId(), newId()];
      append(recordOf(torn, { exit_code: 1 }), recordOf(torn, { exit_code: 2 }).slice(0, -4), recordOf(next), recordOf(last).slice(0, -1));
      assert.equal((await files.find(torn))?.exit_code, 1);
      assert.equal((await files.find(next))?.execution_id, next);
      assert.equal((await files.find(last))?.execution_id, last, 'only its newline is missing');
      append(recordOf(newId()).slice(0, 20));
      assert.equal((await files.find(last))?.execution_id, last);
    });

    it('the last one counts, in whichever file it is', async () => {
      const id = newId();
      append(recordOf(id));
      await sweepFor(id);
      assert.equal((await files.find(id))?.outcome, 'success');
      append(recordOf(id, { outcome: 'failed' }));
      assert.equal((await files.find(id))?.outcome, 'failed');
    });

    it('records of all lengths lie across the borders of what is read at once', async () => {
      const ids = Array.from({ length: 400 }, newId);
      ids.forEach((id, at) => append(recordOf(id, { pad: 'x'.repeat((at * at * 7919) % 5000) })));
      const large = newId();
      append(recordOf(large, { pad: 'x'.repeat(3_000_000) }), recordOf(ids[0] ?? large, { exit_code: 9 }));
      for (const id of [...ids, large]) assert.equal((await files.find(id))?.execution_id, id);
      assert.equal((await files.find(ids[0] ?? large))?.exit_code, 9);
    });

    it('hundreds at once, while more is written', async () => {
      const ids = Array.from({ length: 500 }, newId);
      const found = ids.map((id) => {
        append(recordOf(id));
        return files.find(id);
      });
      assert.deepEqual((await Promise.all(found)).map((report) => report?.execution_id), ids);
    });

    it('what is no report counts no more than one that was cut short', async () => {
      const id = newId();
      append(recordOf(id), recordOf(id, { outcome: 'done' }), `\n${id} [1]\n`, `\n${id} null\n`);
      assert.equal((await files.find(id))?.outcome, 'success');
    });

    it('what cannot be read is not what is not there', async () => {
      mkdirSync(files.path);
      await assert.rejects(files.find(newId()), { code: 'EISDIR' });
      rmSync(files.path, { recursive: true });
      assert.equal(await files.find(newId()), null);
    });
  });

  describe('sweep', () => {
    it('a file without a record stays', async () => {
      append('');
      await sweepFor();
      await sweepFor();
      assert.deepEqual(readdirSync(folder), ['records']);
    });

    it('a file is put aside, and removed when the executions in it are closed', async () => {
      const [open, closed, next] = [newId(), newId(), newId()];
      append(recordOf(open), recordOf(closed));
      await sweepFor(open);
      assert.equal(readdirSync(folder).length, 1);
      await sweepFor(newId(), open);
      assert.equal((await files.find(open))?.execution_id, open);
      append(recordOf(next));
      await sweepFor(open);
      assert.equal(readdirSync(folder).length, 2);
      await sweepFor(next);
      assert.deepEqual([await files.find(open), (await files.find(next))?.execution_id], [null, next], 'the other file has one that is open');
      await sweepFor();
      assert.deepEqual(readdirSync(folder), []);
    });

    it('whoever opened the file before its rename is found after it', async () => {
      const late = newId();
      append(recordOf(newId()));
      const file = openSync(files.path, 'a');
      await sweepFor();
      writeSync(file, recordOf(late));
      closeSync(file);
      assert.equal((await files.find(late))?.execution_id, late);
      await sweepFor(late);
      assert.equal((await files.find(late))?.execution_id, late);
    });

    it('whoever leads no more moves and removes nothing', async () => {
      append(recordOf(newId()));
      await files.sweep(() => null);
      assert.deepEqual(readdirSync(folder), ['records']);
      await sweepFor();
      const [older] = readdirSync(folder);
      await files.sweep(() => null);
      assert.deepEqual(readdirSync(folder), [older]);
    });

    it('finds and sweeps at the same time', async () => {
      const ids = Array.from({ length: 20 }, newId);
      const found = ids.map(async (id) => {
        append(recordOf(id, { pad: 'x'.repeat(1_000_000) }));
        await sweepFor(...ids);
        return (await files.find(id))?.execution_id;
      });
      assert.deepEqual(await Promise.all(found), ids);
    });
  });
});
