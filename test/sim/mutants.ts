// Who tests the simulator: each patch of `mutants/` breaks one rule of the engine, and a seed must find it. `mutants.ts [name …] [--seeds 150]`.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(import.meta.dirname, 'mutants');

/** Names of the mutants, in order. */
export function listMutants(): string[] {
  return readdirSync(FOLDER).filter((name) => name.endsWith('.patch')).map((name) => name.slice(0, -'.patch'.length)).sort();
}

/** What a mutant breaks: the first line of its patch. */
export function describeMutant(name: string): string {
  return readFileSync(join(FOLDER, `${name}.patch`), 'utf8').split('\n')[0] ?? '';
}

/** A copy of the engine with one mutant in it. Throws when its patch does not fit any more. */
export function makeMutant(name: string, folder: string): void {
  for (const part of ['src', 'sql', 'test/sim', 'test/support', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  execFileSync('git', ['apply', '--whitespace=nowarn', join(FOLDER, `${name}.patch`)], { cwd: folder, env: { ...process.env, GIT_CEILING_DIRECTORIES: join(folder, '..') } });
}

interface Verdict { readonly killed: boolean; readonly seed: string; readonly rule: string; readonly seconds: number }

/** Plays seeds on a mutant until one breaks a rule. */
async function tryMutant(name: string, seeds: number): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-mutant-'));
  const started = performance.now();
  try {
    makeMutant(name, folder);
    const output = await new Promise<string>((resolve) => {
      const child = spawn(process.execPath, ['test/sim/main.ts', '--seeds', String(seeds), '--stop-at-first'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
      const chunks: string[] = [];
      child.stdout.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
      child.on('close', () => resolve(chunks.join('')));
    });
    const found = /^seed (\d+) broke .*\n {2}(.*)$/m.exec(output);
    if (found === null && !/ seeds broke a rule$/m.test(output)) throw new Error(`the simulation of ${name} did not run: ${output.slice(-2000)}`);
    return { killed: found !== null, seed: found?.[1] ?? '', rule: found?.[2] ?? '', seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { seeds: { type: 'string', default: '150' } } });
  const names = positionals.length > 0 ? positionals : listMutants();
  let killed = 0;
  for (const name of names) {
    const verdict = await tryMutant(name, Number(values.seeds));
    if (verdict.killed) killed += 1;
    process.stdout.write(`${verdict.killed ? 'killed  ' : 'SURVIVED'} ${name.padEnd(22)} ${describeMutant(name)}\n${' '.repeat(9)}${verdict.killed ? `seed ${verdict.seed}, ${verdict.rule.slice(0, 150)}` : `${values.seeds} seeds`} (${verdict.seconds.toFixed(0)} s)\n`);
  }
  process.stdout.write(`${killed} of ${names.length} mutants killed\n`);
  process.exitCode = killed === names.length ? 0 : 1;
}

if (import.meta.main) await main();
