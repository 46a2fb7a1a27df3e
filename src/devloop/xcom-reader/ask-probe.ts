// One session with the probe: its program and the question go in on standard input, a whole answer comes back and is acknowledged.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { PROBE_PROTOCOL, type ProbeAnswer, type ProbeFailure, type ProbeReply } from '#contract/xcom-reader.ts';
import { callLater } from '#platform/clock.ts';
import { type ByteProgram, startByteProgram } from '#platform/exec.ts';
import { FrameReader } from './frame.ts';
import type { Question, SessionLimits } from './transport.ts';

const PROBE_FILE = join(import.meta.dirname, '..', '..', '..', 'python', 'leoflow', 'xcom_reader', 'probe.py');
/** Reads the program from standard input, which stays open for the question and the acknowledgement. */
const BOOT = 'import sys;exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),"probe","exec"))';
const MAX_ERROR_BYTES = 64 * 1024;
const GOODBYE_MS = 5000;
/** An answer that has begun and of which nothing more comes for so long is taken for cut; one that came damaged, and behind which no other comes, for lost. */
const SILENCE_MS = { cut: 10_000, damaged: 2000 };

/** How the probe is started: `args` are what comes before the Python program's own arguments. */
export interface ProbeProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly urlVariable: string | null;
}

/** How a session ended: with a reply, or without one. */
export type SessionEnd =
  | { readonly kind: 'reply'; readonly reply: ProbeReply }
  /** It ended before an answer was whole. */
  | { readonly kind: 'ended'; readonly status: number | null; readonly stderr: string; readonly received: number; readonly expected: number | null; readonly damaged: boolean }
  | { readonly kind: 'timed_out'; readonly stderr: string };

/** The hash vouches for every byte; what is no reply all the same comes from another version. */
function parseReply(payload: Buffer): ProbeReply {
  const reply = JSON.parse(payload.toString('utf8')) as ProbeReply;
  const isKnown = reply.protocol === PROBE_PROTOCOL && (reply.kind === 'answer' || reply.kind === 'failure');
  return isKnown ? reply : { protocol: PROBE_PROTOCOL, kind: 'failure', failure: 'bad_request', message: 'the probe answers in another version of the protocol', sqlstate: null };
}

/** The probe's program text, as it travels. */
export function readProbe(): string {
  return readFileSync(PROBE_FILE, 'utf8');
}

/** Asks once. Throws `reader_exec` when the program cannot be started, `interrupted` when it was stopped. */
export async function askProbe(program: ProbeProgram, question: Question, limits: SessionLimits): Promise<SessionEnd> {
  const probe = Buffer.from(readProbe(), 'utf8');
  const sentinel = randomBytes(16).toString('hex');
  const request = { ...question, protocol: PROBE_PROTOCOL, sentinel, url_variable: program.urlVariable, statement_timeout_ms: Math.round(Math.max(1000, limits.timeoutMs - 5000)) };
  const reader = new FrameReader(sentinel);
  let child: ByteProgram | null = null;
  let reply: ProbeReply | null = null;
  let timedOut = false;
  let callOffSilence: () => void = () => undefined;
  const onBytes = (chunk: Buffer): void => {
    callOffSilence();
    const found = reply === null ? reader.push(chunk) : null;
    if (found === null && (reader.damaged || reader.progress.expected !== null)) callOffSilence = callLater(reader.damaged ? SILENCE_MS.damaged : SILENCE_MS.cut, () => child?.kill());
    if (found === null) return;
    reply = parseReply(found.payload);
    child?.write(`ACK ${found.sha256}\n`);
    child?.end();
    answered();
  };
  let answered: () => void = () => undefined;
  const whole = new Promise<void>((resolve) => (answered = resolve));
  child = await startByteProgram(program.command, [...program.args, '-u', '-c', BOOT, String(probe.length)], { ...(program.env === undefined ? {} : { env: program.env }), onBytes, maxErrorBytes: MAX_ERROR_BYTES });
  const running = child;
  const callOff = callLater(limits.timeoutMs, () => {
    timedOut = true;
    running.kill();
  });
  const onStop = (): void => running.kill();
  limits.stop.addEventListener('abort', onStop, { once: true });
  if (limits.stop.aborted) onStop();
  running.write(probe);
  running.write(`${JSON.stringify(request)}\n`);
  try {
    await Promise.race([whole, running.ended]);
    if (reply === null) return await endWithoutReply(await running.ended, { timedOut, stop: limits.stop, reader });
    // The answer is proved by its hash: how kubectl ends after it changes nothing, and nobody waits for it. With the acknowledgement, or with the end of its standard input, the probe ends.
    running.release();
    void running.ended.then(callLater(GOODBYE_MS, () => running.kill()));
    return { kind: 'reply', reply };
  } finally {
    callOff();
    callOffSilence();
    limits.stop.removeEventListener('abort', onStop);
    if (reply === null) running.kill();
  }
}

function endWithoutReply(ended: Awaited<ByteProgram['ended']>, how: { timedOut: boolean; stop: AbortSignal; reader: FrameReader }): Promise<SessionEnd> {
  if (how.stop.aborted) throw new AppError('interrupted', 'stopped');
  return Promise.resolve(how.timedOut ? { kind: 'timed_out', stderr: ended.stderr } : { kind: 'ended', status: ended.status, stderr: ended.stderr, ...how.reader.progress, damaged: how.reader.damaged });
}

const FAILURES: Readonly<Record<ProbeFailure['failure'], string>> = {
  connection_missing: 'Name the container where Airflow runs with --container, or give a connection with --transport dsn.',
  driver_missing: 'Name a Python that has SQLAlchemy and the database’s driver with --python.',
  database_down: 'The database cannot be reached from where the probe runs now; in a pod, the scheduler’s own log says more.',
  schema_unknown: 'The database is no Airflow metadata database, or its migrations are not done: ask `airflow db check-migrations` in the pod.',
  statement_failed: 'Narrow the question (--task-id, --limit), or give it more time with --timeout.',
  write_refused: 'The probe was changed: use the one that came with this program.',
  bad_request: 'Reader and probe do not fit: use the same version of both.',
};

/** The answer of a reply. Throws `reader_database` for a failure of the probe. */
export function answerOf(reply: ProbeReply): ProbeAnswer {
  if (reply.kind === 'answer') return reply;
  const sqlstate = reply.sqlstate === null ? '' : ` (SQLSTATE ${reply.sqlstate})`;
  const hint = reply.sqlstate === '42501' ? 'The role may not read this: it needs SELECT on xcom and dag_run, and for hints on dag and task_instance.' : FAILURES[reply.failure];
  throw new AppError('reader_database', `${reply.message}${sqlstate}`, { hint, details: { failure: reply.failure, sqlstate: reply.sqlstate } });
}
