// The benchmark: our runs beside the bare fork floor of the same bodies, interleaved in one run; every log and XCom is read back.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFiles } from '#cli/compile-files.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { findPython } from '#cli/python-command.ts';
import { runOnce } from '#cli/run-once.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import { findRunView, listRunXComs } from '#store/run-view.ts';
import type { RunUuid } from '#contract/ids.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const HERE = import.meta.dirname;

interface Round { readonly seconds: number; readonly hopsMs: readonly number[]; readonly firstMs: number }

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

/** One run: from the call that triggers it to its last state committed. Times of bodies come from their own values. */
async function runDag(engine: OpenEngine, dag: CompiledDag): Promise<{ round: Round; run: RunUuid }> {
  const triggeredNs = process.hrtime.bigint();
  const started = performance.now();
  const outcome = await runOnce(engine, { dag: dag.dag, conf: {}, logicalDate: null, signal: new AbortController().signal }, { out: () => undefined, progress: null, live: false, coloured: false });
  const seconds = (performance.now() - started) / 1000;
  if (outcome.view.state !== 'success') throw new Error(`${dag.dag.dag_id} ${outcome.view.state}`);
  const bodies = (await listRunXComs(engine.database, outcome.run, 10_000)).map((xcom) => JSON.parse(xcom.text) as [number, number]).sort((a, b) => a[0] - b[0]);
  const hopsMs = bodies.slice(1).map((body, index) => (body[0] - (bodies[index]?.[1] ?? 0)) / 1e6);
  return { round: { seconds, hopsMs, firstMs: ((bodies[0]?.[0] ?? 0) - Number(triggeredNs)) / 1e6 }, run: outcome.run };
}

/** Every instance's log holds its line and its XCom is there: nothing was lost on the way. */
async function readBack(engine: OpenEngine, run: RunUuid): Promise<string> {
  const view = await findRunView(engine.database, run);
  const xcoms = await listRunXComs(engine.database, run, 100_000);
  let lines = 0;
  for (const instance of view?.instances ?? []) {
    const log = await engine.readLog(instance.attemptId ?? '');
    if (log.filter((message) => message.event.startsWith('line of ')).length === 1) lines += 1;
  }
  return `${lines} logs and ${xcoms.length} XComs of ${view?.instances.length} instances read back`;
}

interface Cpu { readonly node: number; readonly postgres: number; readonly forkServer: number; readonly children: number }

const TICKS_PER_MS = 0.1;

/** CPU milliseconds spent so far: this process, PostgreSQL's, the fork servers', and their ended children. */
function readCpu(home: string): Cpu {
  const own = process.cpuUsage();
  const sum = { node: (own.user + own.system) / 1000, postgres: 0, forkServer: 0, children: 0 };
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const [user = 0, system = 0, childUser = 0, childSystem = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').slice(11, 15).map((ticks) => Number(ticks) / TICKS_PER_MS);
      const isOurs = command.includes(home) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(home);
      if (command.startsWith('postgres:') || (isOurs && command.includes('/postgres\0'))) sum.postgres += user + system;
      else if (isOurs && command.includes('leoflow.agent.fork_server')) {
        sum.forkServer += user + system;
        sum.children += childUser + childSystem;
      }
    } catch {
      // It ended between two looks.
    }
  }
  return sum;
}

/** CPU per task of one run, by process: where the time goes. */
function renderCpu(before: Cpu, after: Cpu, tasks: number): string {
  return (['node', 'postgres', 'forkServer', 'children'] as const).map((part) => `${part} ${((after[part] - before[part]) / tasks).toFixed(2)}`).join(', ');
}

async function floor(python: string, folder: string, what: { count: number; atOnce: number }): Promise<number> {
  const done = await run(python, [join(HERE, 'floor.py'), String(what.count), String(what.atOnce), folder], { timeoutMs: 120_000 });
  if (done.status !== 0) throw new Error(done.stderr);
  return Number(done.stdout);
}

const own = mkdtempSync(join(tmpdir(), 'leoflow-bench-'));
chmodSync(own, 0o711);
const config = readConfig({ LEOFLOW_HOME: own });
const python = await findPython(config, own, (text) => process.stderr.write(text));
const compiled = await compileFiles(join(HERE, 'dags'), { config, python }, { deterministic: false, strict: false });
const dagOf = (id: string): CompiledDag => {
  const found = compiled.dags.find((one) => one.dag.dag_id === id);
  if (found === undefined) throw new Error(`no ${id}: ${JSON.stringify(compiled.problems)}`);
  return found;
};
const engine = await openEngine({ config, home: join(own, 'home'), store: 'throwaway', python, writeLog: () => undefined });
try {
  const cases = [
    { name: 'chain of 40', dag: dagOf('bench_chain_40'), count: 40, atOnce: 1 },
    { name: '1,000 mapped', dag: dagOf('bench_mapped_1000'), count: 1000, atOnce: 4 },
  ];
  for (const { dag } of cases) await engine.register(dag, { bundle: 'bench', active: true, parseMs: null });
  for (const one of cases) await runDag(engine, one.dag);
  const rounds = cases.map(() => ({ ours: [] as Round[], floors: [] as number[], last: null as RunUuid | null, cpu: '' }));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, one] of cases.entries()) {
      const into = rounds[index];
      if (into === undefined) continue;
      into.floors.push(await floor(python, join(own, `floor-${index}-${round}`), one));
      const before = readCpu(own);
      const done = await runDag(engine, one.dag);
      into.cpu = renderCpu(before, readCpu(own), one.count);
      into.ours.push(done.round);
      into.last = done.run;
    }
  }
  process.stdout.write(`${cpus().length} cores, ${ROUNDS} interleaved rounds, embedded PostgreSQL with fsync; medians (all rounds)\n`);
  for (const [index, one] of cases.entries()) {
    const into = rounds[index];
    if (into === undefined || into.last === null) continue;
    const seconds = into.ours.map((round) => round.seconds);
    const base = median(into.floors);
    process.stdout.write(`${one.name.padEnd(13)} ${median(seconds).toFixed(3)} s (${seconds.map((value) => value.toFixed(3)).join(' ')})   floor, ${one.atOnce} at a time: ${base.toFixed(3)} s   ratio ${(median(seconds) / base).toFixed(2)}\n`);
    if (one.atOnce === 1) {
      const hops = into.ours.flatMap((round) => round.hopsMs);
      process.stdout.write(`  hop, end of a body → begin of the next: p50 ${quantile(hops, 0.5).toFixed(2)} ms, p90 ${quantile(hops, 0.9).toFixed(2)}, p99 ${quantile(hops, 0.99).toFixed(2)}; trigger → first body: p50 ${median(into.ours.map((round) => round.firstMs)).toFixed(2)} ms\n`);
    } else process.stdout.write(`  ${(one.count / median(seconds)).toFixed(0)} tasks/s\n`);
    process.stdout.write(`  CPU ms per task, last round: ${into.cpu}\n`);
    process.stdout.write(`  ${await readBack(engine, into.last)}\n`);
  }
} finally {
  await engine.stop({ endExecutions: true });
  rmSync(own, { recursive: true, force: true });
}
