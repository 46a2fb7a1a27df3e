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

/** What a mutant breaks, and the rules that must find it: the first two lines of its patch. */
export function describeMutant(name: string): { readonly breaks: string; readonly foundBy: readonly string[] } {
  const [breaks = '', rules = ''] = readFileSync(join(FOLDER, `${name}.patch`), 'utf8').split('\n');
  if (!rules.startsWith('found by: ')) throw new Error(`${name}.patch does not say which rules find it`);
  return { breaks, foundBy: rules.slice('found by: '.length).split(', ') };
}

/** A copy of the engine with one mutant in it. Throws when its patch does not fit any more. */
export function makeMutant(name: string, folder: string): void {
  for (const part of ['src', 'sql', 'test/sim', 'test/support', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  execFileSync('git', ['apply', '--whitespace=nowarn', join(FOLDER, `${name}.patch`)], { cwd: folder, env: { ...process.env, GIT_CEILING_DIRECTORIES: join(folder, '..') } });
}

/** `found` is the seed with the first violation of a rule that the mutant is to break, null when there was none. */
interface Verdict { readonly found: string | null; readonly seconds: number }

/** Plays seeds on a mutant until one breaks a rule that must find it: another rule, or an exception, kills no mutant. */
async function tryMutant(name: string, seeds: number): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-mutant-'));
  const started = performance.now();
  try {
    makeMutant(name, folder);
    const output = await new Promise<string>((resolve) => {
      const child = spawn(process.execPath, ['test/sim/main.ts', '--seeds', String(seeds), '--stop-at', describeMutant(name).foundBy.join(', ')], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
      const chunks: string[] = [];
      child.stdout.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
      child.on('close', () => resolve(chunks.join('')));
    });
    const found = /^found by (.*)$/m.exec(output)?.[1] ?? null;
    if (found === null && !/ seeds broke a rule$/m.test(output)) throw new Error(`the simulation of ${name} did not run: ${output.slice(-2000)}`);
    return { found, seconds: (performance.now() - started) / 1000 };
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
    const { breaks, foundBy } = describeMutant(name);
    if (verdict.found !== null) killed += 1;
    process.stdout.write(`${verdict.found === null ? 'SURVIVED' : 'killed  '} ${name.padEnd(22)} ${breaks}\n${' '.repeat(9)}${verdict.found?.slice(0, 160) ?? `${values.seeds} seeds, none broke: ${foundBy.join(', ')}`} (${verdict.seconds.toFixed(0)} s)\n`);
  }
  process.stdout.write(`${killed} of ${names.length} mutants killed\n`);
  process.exitCode = killed === names.length ? 0 : 1;
}

if (import.meta.main) await main();
