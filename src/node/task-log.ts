// A task's log: console, stdout, stderr and ctx.log as one JSON line each, in the shape of python/leoflow/run/logs.py.
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Place } from '#sdk/call-place.ts';
import { errorDetail, momentText } from './error-text.ts';
import type { Masking } from './masking.ts';

type Level = 'debug' | 'info' | 'warning' | 'error';

const MAX_LINE_BYTES = 65_536;
/** Room for the other fields of a line, so that a cut text fits together with them. */
const ROOM = 1_024;
const OWN_LINE = Buffer.from('{"timestamp":"');
const STDOUT = 1;
const STDERR = 2;

/** A text of at most `limit` UTF-8 bytes; a longer one ends with a marker that says how much is missing. */
export function cutText(text: string, limit: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= limit) return text;
  const kept = new StringDecoder('utf8').write(Buffer.from(text, 'utf8').subarray(0, limit - 40));
  return `${kept}… [${bytes - Buffer.byteLength(kept)} bytes dropped]`;
}

/** One line of the log, at most 64 KiB with its newline. */
export function makeLine(level: Level, event: string, more: { readonly logger: string; readonly place?: Place | null; readonly error?: unknown; readonly masking?: Masking }): Buffer {
  const text = more.masking?.mask(event) ?? event;
  const record: Record<string, unknown> = { timestamp: momentText(), level, logger: more.logger, event: text };
  if (more.place !== undefined && more.place !== null) Object.assign(record, { filename: basename(more.place.file), lineno: more.place.line });
  if (more.error !== undefined) record['error_detail'] = errorDetail(more.error, more.masking === undefined ? {} : { masking: more.masking });
  let line = encode(record);
  for (let limit = MAX_LINE_BYTES - ROOM; line.length > MAX_LINE_BYTES && limit > 256; limit = Math.floor(limit / 2)) {
    record['event'] = cutText(text, limit);
    if (limit < MAX_LINE_BYTES / 2) delete record['error_detail'];
    line = encode(record);
  }
  return line;
}

function encode(record: object): Buffer {
  return Buffer.from(`${JSON.stringify(record)}\n`, 'utf8');
}

/** Where this process writes its log. A full disk never fails the task: what is lost is counted. */
export class TaskLog {
  readonly #rests = new Map<number, string>();
  readonly #masking: Masking;
  #gap = { bytes: 0, reason: '' };
  #gapInAll = { bytes: 0, reason: '' };
  #isOpen = false;

  constructor(masking: Masking) {
    this.#masking = masking;
  }

  /** Files 1 and 2 become the log, for programs that the task starts as well; console and the streams write lines. */
  open(path: string | null): void {
    this.#isOpen = true;
    if (path !== null) this.#redirect(path);
    this.#capture(process.stdout, { fd: STDOUT, logger: 'task.stdout', level: 'info' });
    this.#capture(process.stderr, { fd: STDERR, logger: 'task.stderr', level: 'error' });
  }

  write(level: Level, event: string, more: { readonly logger?: string; readonly place?: Place | null; readonly error?: unknown } = {}): void {
    this.#append(makeLine(level, event, { logger: more.logger ?? 'leoflow', masking: this.#masking, ...more }));
  }

  /** Writes what was printed without a newline. */
  flush(): void {
    for (const [fd, rest] of this.#rests) if (rest !== '') this.#printed(fd, rest);
    this.#rests.clear();
  }

  /** Hides secrets in what programs wrote past our streams (a child, fs.writeSync): in place, so that nothing moves. Our own lines are masked already. */
  scrub(path: string | null): void {
    if (path === null || this.#masking.longest === 0) return;
    try {
      const content = readFileSync(path);
      const out = openSync(path, 'r+');
      for (let at = 0, end = 0; at < content.length; at = end) {
        const newline = content.indexOf(10, at);
        end = newline < 0 ? content.length : newline + 1;
        const line = content.subarray(at, end);
        if (line.subarray(0, OWN_LINE.length).equals(OWN_LINE)) continue;
        const text = line.toString('utf8');
        const clean = Buffer.from(this.#masking.blot(text));
        // Bytes that are no text make another length: then nothing of the line stays.
        if (!clean.equals(line)) writeSync(out, clean.length === line.length ? clean : Buffer.concat([Buffer.alloc(line.length - 1, '*'), line.subarray(-1)]), 0, line.length, at);
      }
      closeSync(out);
    } catch (error) {
      this.write('error', `secrets in what programs printed could not be hidden: ${reasonOf(error)}`);
    }
  }

  /** What is missing of this log; null when nothing is. */
  gap(): { readonly bytes: number; readonly reason: string } | null {
    return this.#gapInAll.reason === '' ? null : { ...this.#gapInAll };
  }

  #redirect(path: string): void {
    for (const fd of [STDOUT, STDERR]) closeSync(fd);
    try {
      openLog(path, STDOUT);
      openLog(path, STDERR);
    } catch (error) {
      // A log that cannot be kept is no reason to fail the task: it runs, and its report says what is missing.
      this.#lose(0, `the log could not be opened: ${reasonOf(error)}`);
      for (let fd = openSync('/dev/null', 'a'); fd < STDERR; fd = openSync('/dev/null', 'a'));
    }
  }

  #capture(stream: NodeJS.WriteStream, as: { readonly fd: number; readonly logger: string; readonly level: Level }): void {
    const decoder = new StringDecoder('utf8');
    const take = (chunk: string | Uint8Array, encodingOrDone?: unknown, done?: unknown): boolean => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
      const lines = ((this.#rests.get(as.fd) ?? '') + text).split('\n');
      const rest = lines.pop() ?? '';
      for (const line of lines) this.#printed(as.fd, line);
      this.#rests.set(as.fd, rest.length > MAX_LINE_BYTES ? this.#cutRest(as.fd, rest) : rest);
      const callback = typeof encodingOrDone === 'function' ? encodingOrDone : done;
      if (typeof callback === 'function') process.nextTick(callback);
      return true;
    };
    stream.write = take as typeof stream.write;
  }

  #printed(fd: number, line: string): void {
    this.#append(makeLine(fd === STDOUT ? 'info' : 'error', line, { logger: fd === STDOUT ? 'task.stdout' : 'task.stderr', masking: this.#masking }));
  }

  /** Writes a line that grows too long. @returns its end, where a secret may have begun */
  #cutRest(fd: number, rest: string): string {
    const text = this.#masking.mask(rest);
    const kept = Math.max(0, this.#masking.longest - 1);
    this.#printed(fd, text.slice(0, text.length - kept));
    return text.slice(text.length - kept);
  }

  #append(given: Buffer): void {
    if (!this.#isOpen) return;
    // The newline ends what may be half a line.
    const line = this.#gap.reason === '' ? given : Buffer.concat([Buffer.from('\n'), makeLine('error', `${this.#gap.bytes} bytes of this log are missing: ${this.#gap.reason}`, { logger: 'leoflow' }), given]);
    let written = 0;
    try {
      while (written < line.length) written += writeSync(STDOUT, line, written);
      this.#gap = { bytes: 0, reason: '' };
    } catch (error) {
      this.#lose(line.length - written, reasonOf(error));
    }
  }

  #lose(bytes: number, reason: string): void {
    this.#gap = { bytes: this.#gap.bytes + bytes, reason };
    this.#gapInAll = { bytes: this.#gapInAll.bytes + bytes, reason };
  }
}

/** Opens the log as the file of this number, which is the lowest free one. */
function openLog(path: string, wanted: number): void {
  let fd: number;
  try {
    fd = openSync(path, 'a', 0o640);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    mkdirSync(dirname(path), { recursive: true });
    fd = openSync(path, 'a', 0o640);
  }
  if (fd !== wanted) throw new Error(`it opened as file ${fd} instead of ${wanted}`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
