// A slice of the chaos proof for every change: three faults, at least 200 task starts, judged by the reconciler.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Cluster } from './cluster.ts';
import { FAULTS_OF_PROCESSES } from './faults-of-processes.ts';
import { FAULTS_OF_THE_DATABASE } from './faults-of-the-database.ts';
import { prove } from './prove.ts';

/** Each as often as this. */
const SLICE: Readonly<Record<string, number>> = { 'leader-kill': 2, 'fork-server-kill': 2, 'leader-partition': 1 };
let cluster: Cluster;

before(async () => {
  cluster = await Cluster.start();
});
after(() => cluster.stop());

for (const [name, times] of Object.entries(SLICE)) {
  it(name, { timeout: 120_000 }, async (t) => {
    const fault = [...FAULTS_OF_PROCESSES, ...FAULTS_OF_THE_DATABASE].find((one) => one.name === name) ?? assert.fail(name);
    const proof = await prove(cluster, fault, { starts: 80, seed: 1, times });
    t.diagnostic(`${proof.starts} task starts, recovered in ${proof.recoveredMs.map(Math.round).join(', ')} ms, ${proof.seconds.toFixed(0)} s`);
    assert.deepEqual(proof.examples, []);
    assert.ok(proof.starts >= 80);
    assert.ok(proof.recoveredMs.every((ms) => ms > 0 && ms < 10_000), JSON.stringify(proof.recoveredMs));
  });
}
