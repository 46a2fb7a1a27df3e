// The control plane as an execution in Node sees it: asked until it answers, whoever leads now.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

/** An answer other than 200. */
export class AgentRefused extends Error {
  override readonly name = 'AgentRefused';
  readonly status: number;

  constructor(status: number, body: string) {
    super(`HTTP ${status}: ${body.slice(0, 2000)}`);
    this.status = status;
  }
}

const RETRY_MS = 1000;
/** A server that is stopped, or cut off from its database, holds its connections: after each such time somebody looks for another. */
const PATIENCE_MS = 1000;
/** What fits a socket's buffer is sent in one go, whether anybody reads it or not. */
const SHORT_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const AGAIN = new Set([429, 502, 503, 504]);

interface Call {
  readonly path: string;
  readonly payload: Buffer;
  /** Asked while the answer is late: true gives this connection up. */
  readonly hasMoved: () => boolean;
  /** Called when the request is on its way. */
  readonly onSent: () => void;
}

/** Follows the address file from leader to leader. */
export class AgentClient {
  token = '';
  #address: string;
  readonly #addressFile: string;
  #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(address: string, addressFile: string) {
    this.#address = address;
    this.#addressFile = addressFile;
  }

  /** Waits for work, for as long as it takes. Rejects when the server goes away first. */
  park(child: object): Promise<unknown> {
    return this.#send({ path: '/agent/v1/park', payload: encode(child), hasMoved: () => false, onSent: () => undefined });
  }

  /**
   * Asks until answered. Rejects with AgentRefused for a final no, and when the time is over.
   * @param keep called once with the bytes of the request: while a short one is on its way, before a long one
   */
  async post(path: string, body: object, how: { readonly limitMs: number; readonly keep?: (payload: Buffer) => void }): Promise<unknown> {
    const payload = encode(body);
    let isKept = how.keep === undefined;
    const keepOnce = (): void => {
      if (isKept) return;
      isKept = true;
      how.keep?.(payload);
    };
    if (payload.length > SHORT_BYTES) keepOnce();
    const deadline = performance.now() + how.limitMs;
    for (let delay = 50; ; delay = Math.min(delay * 2, RETRY_MS)) {
      const asked = (this.#address ||= this.#currentAddress());
      try {
        return await this.#send({ path, payload, hasMoved: () => this.#currentAddress() !== asked, onSent: keepOnce });
      } catch (error) {
        if (error instanceof AgentRefused && !AGAIN.has(error.status)) throw error;
      }
      keepOnce();
      if (performance.now() + delay > deadline) throw new Error(`no server answered for ${Math.round(how.limitMs / 1000)} s`);
      await new Promise((resolve) => setTimeout(resolve, delay));
      // A server that answers and does not lead any more would be asked for ever.
      if (this.#currentAddress() !== asked) this.#forgetConnections();
    }
  }

  #forgetConnections(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4 });
  }

  #currentAddress(): string {
    try {
      const { socket } = JSON.parse(readFileSync(this.#addressFile, 'utf8')) as { socket?: unknown };
      if (typeof socket === 'string') this.#address = socket;
    } catch {
      // The file is being replaced: the address known so far stays.
    }
    return this.#address;
  }

  #target(): object {
    if (this.#address.startsWith('/')) return { socketPath: this.#address };
    const at = this.#address.lastIndexOf(':');
    return { host: this.#address.slice(0, at), port: Number(this.#address.slice(at + 1)) };
  }

  #send({ path, payload, hasMoved, onSent }: Call): Promise<unknown> {
    const agent = this.#agent;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': payload.length, ...(this.token === '' ? {} : { Authorization: `Bearer ${this.token}` }) };
    return new Promise((resolve, reject) => {
      const call = request({ ...this.#target(), path, method: 'POST', agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too large'));
        });
        response.on('error', finish);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode !== 200) return finish(new AgentRefused(response.statusCode ?? 0, text));
          clearInterval(patience);
          resolve(JSON.parse(text));
        });
      });
      const patience = setInterval(() => void (hasMoved() && call.destroy(new Error('another server answers now'))), PATIENCE_MS);
      const finish = (error: Error): void => {
        clearInterval(patience);
        reject(error);
      };
      call.on('error', finish);
      call.on('close', () => finish(new Error('the server closed the connection')));
      call.on('finish', onSent);
      call.end(payload);
    });
  }
}

function encode(body: object): Buffer {
  return Buffer.from(JSON.stringify(body), 'utf8');
}
