// The chaos proof: `make prove-chaos` (`make prove-chaos-task-sdk`: CHAOS_RUNTIME=airflow), or `node test/chaos/main.ts --faults a,b --starts N --times N --seed S --json FILE --markdown FILE --keep`.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.ts';
import type { Fault } from './fault.ts';
import { FAULTS_AT_RANDOM } from './faults-at-random.ts';
import { FAULTS_OF_PROCESSES } from './faults-of-processes.ts';
import { FAULTS_OF_THE_DATABASE } from './faults-of-the-database.ts';
import { FAULTS_OF_WORK } from './faults-of-work.ts';
import { RUNTIME } from './programs.ts';
import { type Proof, prove } from './prove.ts';
import { countViolations, HEADING, renderLine, renderMarkdown, renderTotal } from './report.ts';

/**
 * Faults that are judged by what our own runtime promises. Of a task's own ends the Task SDK makes what Airflow makes of them; and it pushes a value before
 * it reports, so that a task which is killed while the database is away has nothing to leave behind.
 */
const OF_OUR_RUNTIME = new Set([...FAULTS_OF_WORK.map((fault) => fault.name), 'kill-in-outage', 'one-after-the-other']);
const OF_THE_TASK_SDK = new Set(['base-stop']);
const ALL_FAULTS: readonly Fault[] = [...FAULTS_OF_PROCESSES, ...FAULTS_OF_THE_DATABASE, ...FAULTS_OF_WORK, ...FAULTS_AT_RANDOM];
const FAULTS = ALL_FAULTS.filter(({ name }) => !(RUNTIME === 'leoflow' ? OF_THE_TASK_SDK : OF_OUR_RUNTIME).has(name));
const { values } = parseArgs({
  options: {
    faults: { type: 'string' }, starts: { type: 'string', default: '450' }, times: { type: 'string' }, seed: { type: 'string', default: '1' }, json: { type: 'string' }, markdown: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

function chosen(): readonly Fault[] {
  const wanted = values.faults?.split(',') ?? FAULTS.map((fault) => fault.name);
  const unknown = wanted.filter((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}; there are ${FAULTS.map((fault) => fault.name).join(', ')}`);
  return FAULTS.filter((fault) => wanted.includes(fault.name));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describeMachine(): string {
  return `${cpus().length} cores (${cpus()[0]?.model.trim() ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, Node ${process.versions.node}; ${new Date().toISOString().slice(0, 10)}.`;
}

/** @returns null when the stage itself broke */
async function run(cluster: Cluster, fault: Fault): Promise<Proof | null> {
  try {
    const proof = await prove(cluster, fault, { starts: Number(values.starts), seed: Number(values.seed), keep: values.keep, ...(values.times === undefined ? {} : { times: Number(values.times) }) });
    say(renderLine(proof));
    return proof;
  } catch (error) {
    say(`${fault.name.padEnd(28)}  broken off: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

const faults = chosen();
const cluster = await Cluster.start();
const proofs: Proof[] = [];
let broken = 0;
const notInjected: { name: string; reason: string }[] = [];
try {
  say(HEADING);
  for (const fault of faults) {
    const reason = fault.unable?.() ?? null;
    if (reason !== null) {
      say(`${fault.name.padEnd(28)}  not injected: ${reason}`);
      notInjected.push({ name: fault.name, reason });
      continue;
    }
    const proof = await run(cluster, fault);
    if (proof === null) broken += 1;
    else proofs.push(proof);
  }
} finally {
  await cluster.stop();
}
say(renderTotal(proofs, broken));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(proofs, null, 2)}\n`);
if (values.markdown !== undefined) writeFileSync(values.markdown, renderMarkdown(proofs, { notInjected, broken }, describeMachine()));
process.exitCode = countViolations(proofs) === 0 && broken === 0 ? 0 : 1;
