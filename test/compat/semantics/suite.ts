// The semantics suite on our server, beside what a real Airflow 3.2.1 recorded of it: one subtest a scenario. Played under each runtime.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Running, startLeoflow, temporaryFolder } from '../../support/cli.ts';
import { inParallel } from './in-parallel.ts';
import { listDagIds, makePools, type Notes, type Stage } from './play.ts';
import { playScenario } from './scenarios.ts';

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'airflow-3.2.1', 'semantics.json');
const { scenarios: recorded } = JSON.parse(readFileSync(FIXTURE, 'utf8')) as { scenarios: Record<string, Notes> };
/** DAGs named in LEOFLOW_TEST_ONLY, separated by commas, for work on one rule; else all. */
const wanted = process.env['LEOFLOW_TEST_ONLY']?.split(',') ?? Object.keys(recorded);

/** `runtime` as in leoflow.yaml. `apart`: scenarios in which we differ on purpose, each with its reason; the test fails when one of them does not differ any more. */
export interface Suite {
  readonly runtime: 'leoflow' | 'airflow';
  readonly apart: Readonly<Record<string, string>>;
  readonly skip: string | false;
  readonly settings: Readonly<Record<string, string>>;
  /** Few enough that a busy machine still has time for each. */
  readonly atOnce: number;
  readonly limitSeconds: number;
}

/** Plays every scenario on one server and compares. */
export function playSemantics({ runtime, apart, skip, settings, atOnce, limitSeconds }: Suite): void {
  describe(`as Airflow 3.2.1 does it, runtime ${runtime}`, { skip }, () => {
    const place = temporaryFolder();
    const home = join(place.path, 'home');
    const outcomes = new Map<string, Notes | Error>();
    let lite: Running;
    let present: string[] = [];

    before(async () => {
      mkdirSync(home, { mode: 0o755 });
      const dags = join(place.path, 'dags');
      cpSync(join(import.meta.dirname, 'dags'), dags, { recursive: true });
      writeFileSync(join(dags, 'leoflow.yaml'), `runtime: ${runtime}\n`);
      // Each of these DAGs runs once or twice: processes kept warm for more would be made for nothing.
      lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PARALLELISM: '24', LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_FORK_SERVER_IDLE_SECONDS: '10', ...settings });
      const url = (await lite.until('ready http')).replace('ready ', '').trim();
      const stage: Stage = { url, token: readFileSync(join(home, 'token'), 'utf8').trim(), pollMs: 150, quietMs: 1500, limitMs: 60_000 };
      await makePools(stage);
      present = await listDagIds(stage);
      await inParallel(wanted, atOnce, async (dagId) => {
        outcomes.set(dagId, await playScenario(stage, dagId).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))));
      });
    }, { timeout: limitSeconds * 1000 });
    after(async () => {
      await lite.stop();
      place.remove();
    });

    for (const dagId of wanted) {
      test(dagId, () => {
        const found = outcomes.get(dagId);
        if (found === undefined || found instanceof Error) throw found ?? new Error('it was not played');
        if (apart[dagId] === undefined) assert.deepEqual(found, recorded[dagId]);
        else assert.notDeepEqual(found, recorded[dagId], `it does not differ any more (${apart[dagId]})`);
      });
    }

    test('every DAG of the suite was recorded', () => assert.deepEqual(present, Object.keys(recorded).sort()));
  });
}

/** Where 3.2.1 has a fault of its own. */
export const FAULTS_OF_AIRFLOW: Readonly<Record<string, string>> = {
  group_branch: 'in a mapped group 3.2.1 runs the branches that were not chosen: its issue 67265. They are skipped here, as in 3.1 and as its fix does it',
  group_short_circuit: 'in a mapped group 3.2.1 runs what a short circuit skips: its issue 67265',
};
