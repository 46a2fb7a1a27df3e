// The benchmark: `bench/main.ts [case …] [--rounds N] [--write]`. Runs cases one after the other and prints a table; --write makes docs/benchmarks.md.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Case, CASES } from './cases.ts';
import type { Measured } from './figures.ts';
import { type CaseReport, renderDocument, renderSection, renderTable } from './render-report.ts';

const HERE = import.meta.dirname;
const DOCUMENT = join(HERE, '..', 'docs', 'benchmarks.md');

/** Runs a case in a process of its own. A failure is part of the report. */
async function runCase(one: Case, rounds: string): Promise<CaseReport> {
  process.stderr.write(`${one.name}: ${one.title} …\n`);
  const started = performance.now();
  const child = spawn(process.execPath, [join(HERE, 'run-case.ts'), one.name, rounds], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output += text));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGTERM');
  }, one.limitSeconds * 1000);
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, forward);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward);
  if (code === 130 && !isLate) process.exit(130);
  const about = { name: one.name, title: one.title, seconds: (performance.now() - started) / 1000 };
  if (code !== 0) return { ...about, figures: [], details: [], failure: isLate ? `it was not done after ${one.limitSeconds} s` : `it ended with status ${code}; its output says why` };
  return { ...about, ...(JSON.parse(output) as Measured), failure: null };
}

function describeMachine(): string {
  const commands = readFileSync(join(HERE, '..', '.venv', 'pyvenv.cfg'), 'utf8');
  const python = /^version\s*=\s*(\S+)/m.exec(commands)?.[1] ?? '?';
  const system = existsSync('/etc/os-release') ? (/^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '') : '';
  return `${cpus().length} cores (${cpus()[0]?.model.trim() ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GB, ${system}, Linux ${release()}, Node ${process.versions.node}, Python ${python}, embedded PostgreSQL 18 with \`fsync\` and \`synchronous_commit\` on; ${new Date().toISOString().slice(0, 10)}.`;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '' }, write: { type: 'boolean', default: false } } });
const unknown = positionals.filter((name) => !CASES.some((one) => one.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no case ${unknown.join(', ')}; there are ${CASES.map((one) => one.name).join(', ')}\n`);
  process.exit(64);
}
const reports: CaseReport[] = [];
for (const one of CASES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) reports.push(await runCase(one, values.rounds));
const machine = describeMachine();
process.stdout.write(`\n${machine}\n\n${renderTable(reports)}\n\n${reports.map(renderSection).join('\n\n')}\n`);
if (values.write) writeFileSync(DOCUMENT, renderDocument(reports, { machine, notes: readFileSync(join(HERE, 'notes.md'), 'utf8') }));
process.exitCode = reports.some((report) => report.failure !== null) ? 1 : 0;
