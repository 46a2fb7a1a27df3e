// Finds the probe's answer in a stream that others may write to as well, and knows whether it is whole.
import { createHash } from 'node:crypto';

const HEADER_BYTES = 200;
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

/** Reads `LEOFLOW-XCOM/1 SENTINEL BYTES SHA256`, a line feed and exactly so many bytes; whatever stands around it is noise. */
export class FrameReader {
  readonly #start: Buffer;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Whether a whole answer came whose hash was wrong. */
  damaged = false;
  #expected: { readonly from: number; readonly bytes: number; readonly sha256: string } | null = null;

  constructor(sentinel: string) {
    this.#start = Buffer.from(`LEOFLOW-XCOM/1 ${sentinel} `, 'latin1');
  }

  /** Takes a part of the stream. The payload once it is there and its hash is right; null before. */
  push(chunk: Buffer): { readonly payload: Buffer; readonly sha256: string } | null {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#expected ??= this.#findHeader();
    if (this.#expected === null) return null;
    const { from, bytes, sha256 } = this.#expected;
    if (this.#size < from + bytes) return null;
    const payload = this.#joined().subarray(from, from + bytes);
    if (createHash('sha256').update(payload).digest('hex') === sha256) return { payload, sha256 };
    // What follows may be a whole one.
    this.damaged = true;
    this.#chunks = [this.#joined().subarray(from)];
    this.#size -= from;
    this.#expected = null;
    return this.push(Buffer.alloc(0));
  }

  /** How far it came: for the message about an answer that is not whole. */
  get progress(): { readonly received: number; readonly expected: number | null } {
    return { received: this.#expected === null ? this.#size : this.#size - this.#expected.from, expected: this.#expected?.bytes ?? null };
  }

  #joined(): Buffer {
    const [only] = this.#chunks;
    if (this.#chunks.length > 1 || only === undefined) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #findHeader(): { from: number; bytes: number; sha256: string } | null {
    const stream = this.#joined();
    for (let at = stream.indexOf(this.#start); at >= 0; at = stream.indexOf(this.#start, at + 1)) {
      const end = stream.indexOf(10, at);
      if (end < 0 || end - at > HEADER_BYTES) continue;
      const [bytes = '', sha256 = ''] = stream.toString('latin1', at + this.#start.length, end).split(' ');
      if (/^\d{1,10}$/.test(bytes) && Number(bytes) <= MAX_PAYLOAD_BYTES && /^[0-9a-f]{64}$/.test(sha256)) return { from: end + 1, bytes: Number(bytes), sha256 };
    }
    this.#dropNoise();
    return null;
  }

  /** Of a stream without a header only its end may still become one. */
  #dropNoise(): void {
    const kept = this.#joined().subarray(-(HEADER_BYTES + this.#start.length));
    this.#chunks = [kept];
    this.#size = kept.length;
  }
}
