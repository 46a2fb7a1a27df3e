// `leoflow convert` over every DAG file that the repository's tests have: the YAML's graph is the original's, or what is lost is told.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { firstDifference, graphOf } from '#core/dag-graph.ts';
import { renderProblem } from '#compile/compiled.ts';
import { compileFile } from '#compile/compile-file.ts';
import { convertFile } from '#compile/convert.ts';
import { findPython } from '#cli/python-command.ts';
import { readConfig } from '#platform/config.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDERS = ['python/tests/dags', 'python/tests/drawings', 'examples/demo', 'test/compat/semantics/dags'];

/** Files that YAML cannot say, with what stands in the way. */
const UNSAYABLE: Readonly<Record<string, RegExp>> = {
  'python/tests/dags/branching.py': /task group\.b: on_success_callback: the lambda .*\n.*\n.*task conditional: pre_execute/,
  'python/tests/dags/calling_http.py': /task get: response_filter: the lambda/,
  'python/tests/dags/mapping.py': /task concat: expand: the lambda/,
  'python/tests/dags/sensing.py': /user_defined_macros.*\n.*callback_on_failure: on_failure_callback.*\n.*\n.*number: output_processor/,
  'test/compat/semantics/dags/mapping.py': /task plain: expand: the lambda/,
  'test/compat/semantics/dags/skipping.py': /pre_execute/,
};

describe('round trip', () => {
  const place = mkdtempSync(join(tmpdir(), 'leoflow-trip-'));
  let python = '';
  before(async () => {
    python = await findPython(readConfig({ LEOFLOW_HOME: place }, {}), place, () => undefined);
  });
  after(() => rmSync(place, { recursive: true }));

  for (const folder of FOLDERS) {
    it(folder, { timeout: 300_000 }, async () => {
      const root = join(place, folder);
      cpSync(join(ROOT, folder), root, { recursive: true });
      for (const file of readdirSync(root).filter((name) => name.endsWith('.py')).sort()) {
        const request = { root, file, python, ...BARE_REQUEST };
        const original = await compileFile(request);
        // Helpers that hold no DAG, and files that are broken on purpose.
        if (original.problems.length > 0) continue;
        const converted = await convertFile(request, { dagId: null, prefix: '' });
        const unsayable = UNSAYABLE[`${folder}/${file}`];
        if (unsayable !== undefined) {
          assert.equal(converted.text, null, `${file} can be said by now: take it off the list`);
          assert.match(converted.problems.map(renderProblem).join('\n'), unsayable);
          continue;
        }
        assert.deepEqual(converted.problems.map(renderProblem), [], file);
        const yaml = file.replace(/\.py$/, '.yaml');
        writeFileSync(join(root, yaml), converted.text ?? '');
        const again = await compileFile({ ...request, file: yaml });
        assert.deepEqual(again.problems.map(renderProblem), [], yaml);
        assert.deepEqual(again.dags.map(({ dag }) => dag.dag_id).sort(), original.dags.map(({ dag }) => dag.dag_id).sort(), yaml);
        for (const { dag } of original.dags) {
          const other = again.dags.find((one) => one.dag.dag_id === dag.dag_id);
          assert.ok(other !== undefined);
          assert.equal(firstDifference(graphOf(dag), graphOf(other.dag)), null, `${yaml}: ${dag.dag_id}`);
        }
      }
    });
  }
});
