// Where the records of one file of outcomes lie, by execution. A record is a line: the execution's id, a space, its report.
import type { FileHandle } from 'node:fs/promises';
import type { ExecutionId } from '#contract/ids.ts';

/** Where the report of a record lies. */
export interface Place { readonly start: number; readonly end: number }

const CHUNK_BYTES = 256 * 1024;
/** An execution's id and the space behind it are shorter. */
const HEAD_BYTES = 64;
const NEWLINE = 10;

/** What is known of one file. It only grows: what was read once is not read again. */
export class OutcomeIndex {
  readonly #places = new Map<string, Place[]>();
  #bytesRead = 0;
  /** The line that has no end yet. */
  #lineStart = 0;
  #head = '';

  get bytesRead(): number {
    return this.#bytesRead;
  }

  has(id: ExecutionId): boolean {
    return this.list(id).length > 0;
  }

  /** The records of an execution, the last first. One that was cut short is among them. */
  list(id: ExecutionId): Place[] {
    const ended = this.#places.get(id) ?? [];
    const last = this.#head.startsWith(`${id} `) ? [{ start: this.#lineStart + id.length + 1, end: this.#bytesRead }] : [];
    return [...ended, ...last].reverse();
  }

  /** Reads what was appended since the last time. */
  async readOn(file: FileHandle): Promise<void> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, this.#bytesRead);
      if (bytesRead === 0) return;
      this.#take(chunk.subarray(0, bytesRead));
    }
  }

  #take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline;
      if (this.#head.length < HEAD_BYTES) this.#head += bytes.toString('latin1', at, Math.min(end, at + HEAD_BYTES - this.#head.length));
      if (newline >= 0) this.#endLine(this.#bytesRead + newline);
      at = end + 1;
    }
    this.#bytesRead += bytes.length;
  }

  #endLine(end: number): void {
    const space = this.#head.indexOf(' ');
    if (space > 0) {
      const id = this.#head.slice(0, space);
      const place = { start: this.#lineStart + space + 1, end };
      const known = this.#places.get(id);
      if (known === undefined) this.#places.set(id, [place]);
      else known.push(place);
    }
    this.#lineStart = end + 1;
    this.#head = '';
  }
}
