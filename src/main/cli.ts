// The command line: arguments in, an exit code out. The one place that turns errors into text and codes.
import { CommanderError } from 'commander';
import { createProgram } from '#cli/commands.ts';
import type { LocalContext } from '#cli/local-context.ts';
import { printable } from '#cli/output.ts';
import { AppError, ERRORS } from '#contract/errors.ts';
import { homeFolder, readConfig, wantsColour } from '#platform/config.ts';
import { VERSION } from './version.ts';

const stop = new AbortController();
let signals = 0;
let hurry: (() => void) | null = null;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    signals += 1;
    // The second one does not wait for an orderly end, unless somebody wants to make it a quick one.
    if (signals > (hurry === null ? 1 : 2)) process.exit(130);
    if (signals === 2) hurry?.();
    else stop.abort(signal);
  });
}
// A reader that went away (`leoflow … | head`) ends the command quietly.
process.stdout.on('error', () => process.exit(0));

const context: LocalContext = {
  readConfig, homeOf: homeFolder,
  // Loaded by the commands that need them: server, database and Redis are most of the program.
  deleteLogs: async (home, executionIds) => (await import('#logs/file-log-store.ts')).deleteLogs(home, executionIds),
  openEngine: async (request) => (await import('./open-engine.ts')).openEngine(request),
  examineRedis: async (url) => (await import('#xcom/examine-redis.ts')).examineRedis(url),
  startAgent: async (socketPath, service) => {
    const [{ startAgentServer }, { createReporter }] = await Promise.all([import('#api/agent/agent-server.ts'), import('#platform/report.ts')]);
    return startAgentServer(socketPath, service, { reporter: createReporter('error', (line) => void process.stderr.write(`${line}\n`)) });
  },
  out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text),
  outIsTerminal: process.stdout.isTTY === true, errIsTerminal: process.stderr.isTTY === true, coloured: wantsColour(process.stdout),
  stop: stop.signal, onSecondStop: (run) => void (hurry = run),
  version: VERSION,
  exitWith: (code) => void (process.exitCode = code),
};

/** Exit code of a failure, its text written to standard error. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof AppError) {
    // Findings in DAG files carry hints of their own, and a failed run was shown already.
    const hinted = error.code === 'run_failed' || error.message.includes('\n  → ');
    // What a cluster or a database said may hold anything.
    const message = error.code.startsWith('reader_') ? error.message.split('\n').map(printable).join('\n') : error.message;
    context.err(`leoflow: ${message}\n${hinted ? '' : `  → ${error.hint}\n`}`);
    return ERRORS[error.code].exit;
  }
  context.err(`leoflow: unexpected failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return ERRORS.bug.exit;
}

try {
  const program = await createProgram(context, process.argv.slice(2));
  await program.parseAsync(process.argv);
  process.exitCode ??= 0;
} catch (error) {
  process.exitCode = fail(error);
}
