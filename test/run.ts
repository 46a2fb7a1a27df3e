// Runs a tier of the tests (`check` or `all`) and ends with `N passed, N failed`. What a machine cannot run counts as skipped.
import { spawn } from 'node:child_process';
import { globSync, existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const NODE = process.execPath;
const PYTHON = join(ROOT, '.venv', 'bin', 'python');
/** The environment with Airflow's Task SDK, which bin/setup makes. */
const AIRFLOW_PYTHON = join(ROOT, '.venv-airflow', 'bin', 'python');
if (existsSync(AIRFLOW_PYTHON)) process.env['LEOFLOW_TEST_AIRFLOW_PYTHON'] ??= AIRFLOW_PYTHON;

interface Result { readonly name: string; readonly passed: number; readonly failed: number; readonly skipped: number; readonly seconds: number }
interface Part { readonly name: string; readonly run: () => Promise<Omit<Result, 'name' | 'seconds'>> }

/** Runs a program with its output passed through; resolves with its exit code and output. */
function execute(command: string, args: readonly string[], how: { quiet: boolean; env?: Record<string, string> }): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { cwd: ROOT, env: { ...process.env, ...how.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code) => {
      const output = chunks.join('');
      if (!how.quiet || code !== 0) process.stdout.write(output);
      resolve({ code: code ?? 1, output });
    });
  });
}

/** One program that passes or fails as a whole. */
function tool(name: string, command: string, args: readonly string[]): Part {
  return { name, run: async () => ((await execute(command, args, { quiet: true })).code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 }) };
}

/** The runner fails when fewer lines of these folders are run. */
function coverageFlags(covers: { folders: readonly string[]; linesPercent: number } | undefined): string[] {
  if (covers === undefined) return [];
  return ['--experimental-test-coverage', ...covers.folders.map((folder) => `--test-coverage-include=${folder}/**/*.ts`), '--test-coverage-exclude=**/*.test.ts', `--test-coverage-lines=${covers.linesPercent}`];
}

/** Node's test runner over files; `together` runs them in one process, else each has its own. */
function nodeTests(name: string, patterns: readonly string[], how: { together: boolean; seconds: number; except?: RegExp; covers?: { folders: readonly string[]; linesPercent: number }; env?: () => Promise<Record<string, string>> }): Part {
  return {
    name,
    run: async () => {
      const files = globSync([...patterns], { cwd: ROOT }).filter((file) => how.except?.test(file) !== true).sort();
      if (files.length === 0) return { passed: 0, failed: 1, skipped: 0 };
      const args = ['--test', '--test-reporter=spec', `--test-timeout=${how.seconds * 1000}`, ...(how.together ? ['--test-isolation=none'] : ['--test-concurrency=2']), ...coverageFlags(how.covers), ...files];
      const { code, output } = await execute(NODE, args, { quiet: true, env: (await how.env?.()) ?? {} });
      const count = (what: string): number => Number(output.match(new RegExp(`^ℹ ${what} (\\d+)$`, 'm'))?.[1] ?? 0);
      const failed = count('fail') + count('cancelled');
      return { passed: count('pass'), failed: code !== 0 && failed === 0 ? 1 : failed, skipped: count('skipped') + count('todo') };
    },
  };
}

/**
 * The released Airflow wheel, unpacked below .cache once: its documents and examples are read at test time and never committed.
 * Without a network the tests that need it say so and are skipped.
 */
async function findWheel(): Promise<Record<string, string>> {
  const folder = join(ROOT, '.cache', 'apache-airflow-core-3.2.1');
  const unpacked = join(folder, 'wheel');
  if (existsSync(join(unpacked, 'airflow'))) return { LEOFLOW_TEST_AIRFLOW_WHEEL: unpacked };
  const downloaded = await execute(PYTHON, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', folder, 'apache-airflow-core==3.2.1'], { quiet: true });
  const wheel = globSync('*.whl', { cwd: folder })[0];
  if (downloaded.code !== 0 || wheel === undefined) return {};
  await execute(PYTHON, ['-m', 'zipfile', '-e', join(folder, wheel), unpacked], { quiet: true });
  return { LEOFLOW_TEST_AIRFLOW_WHEEL: unpacked };
}

/** Python's unittest over python/tests. */
const pythonTests: Part = {
  name: 'python',
  run: async () => {
    if (!existsSync(PYTHON)) return { passed: 0, failed: 1, skipped: 0 };
    const { code, output } = await execute(PYTHON, ['-m', 'unittest', 'discover', '-s', 'python/tests', '-t', 'python'], { quiet: true, env: { PYTHONDONTWRITEBYTECODE: '1' } });
    const total = Number(output.match(/^Ran (\d+) tests?/m)?.[1] ?? 0);
    const bad = [...output.matchAll(/(?:failures|errors|unexpected successes)=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
    const skipped = Number(output.match(/skipped=(\d+)/)?.[1] ?? 0);
    const failed = code !== 0 && bad === 0 ? 1 : bad;
    return { passed: Math.max(0, total - bad - skipped), failed, skipped };
  },
};

const UNIT = ['src/**/*.test.ts'];
const NEEDS_MORE = /\.(pg|redis|container|e2e|crash|sdk)\.test\.ts$/;
const CHECK: readonly Part[] = [
  tool('types', join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json', '--checkers', '2']),
  tool('lint', join(ROOT, 'node_modules/.bin/oxlint'), ['--type-aware', '--deny-warnings', 'src', 'test', 'bench']),
  nodeTests('unit', UNIT, { together: true, seconds: 60, except: NEEDS_MORE, covers: { folders: ['src/contract', 'src/core'], linesPercent: 95 } }),
  nodeTests('house', ['test/house/*.test.ts'], { together: true, seconds: 60 }),
];
const ALL: readonly Part[] = [
  ...CHECK,
  tool('site', join(ROOT, 'bin/site'), ['build']),
  pythonTests,
  nodeTests('postgresql', ['src/**/*.pg.test.ts', 'test/**/*.pg.test.ts'], { together: false, seconds: 120 }),
  nodeTests('redis', ['src/**/*.redis.test.ts', 'test/**/*.redis.test.ts'], { together: false, seconds: 180 }),
  nodeTests('airflow', ['test/compat/*.test.ts'], { together: false, seconds: 400, env: findWheel }),
  nodeTests('end to end', ['src/**/*.e2e.test.ts', 'test/e2e/*.e2e.test.ts'], { together: false, seconds: 240 }),
  nodeTests('task SDK', ['src/**/*.sdk.test.ts', 'test/sdk/*.sdk.test.ts'], { together: false, seconds: 300 }),
  nodeTests('crash', ['test/crash/*.test.ts', 'test/chaos/*.test.ts'], { together: false, seconds: 300 }),
];

async function runPart(part: Part): Promise<Result> {
  const started = performance.now();
  const counts = await part.run();
  const result = { name: part.name, ...counts, seconds: (performance.now() - started) / 1000 };
  process.stdout.write(`${result.failed === 0 ? 'ok  ' : 'FAIL'} ${part.name.padEnd(12)} ${result.passed} passed, ${result.failed} failed${result.skipped > 0 ? `, ${result.skipped} skipped` : ''}  (${result.seconds.toFixed(1)} s)\n`);
  return result;
}

const tier = process.argv[2];
const parts = tier === 'check' ? CHECK : ALL;
const results: Result[] = [];
// The parts of `check` share two cores well; those with servers and processes run alone.
if (tier === 'check') results.push(...(await Promise.all(parts.map(runPart))));
else for (const part of parts) results.push(await runPart(part));
const sum = (key: 'passed' | 'failed' | 'skipped'): number => results.reduce((total, result) => total + result[key], 0);
const skipped = sum('skipped');
const failed = sum('failed') + (process.env['CI'] === 'true' ? skipped : 0);
if (skipped > 0) process.stdout.write(`${skipped} skipped${process.env['CI'] === 'true' ? ': CI allows no skip' : ''}\n`);
process.stdout.write(`${sum('passed')} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
