// A unix socket that does with each connection what a test says: stands for programs that answer late, wrongly or never.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useTimeSource } from '#platform/clock.ts';

/** Serves while `use` talks to the socket of that path. */
export async function withUnixServer<T>(serve: (socket: Socket) => void, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'lf-'));
  const path = join(folder, 's');
  const server = createServer(serve);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  try {
    return await use(path);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Time limits end when the test says so; `useTimeSource(null)` undoes it. */
export class HeldTimers {
  #waits: { ms: number; run: () => void }[] = [];

  constructor() {
    useTimeSource({ monotonicMs: () => performance.now(), wallMs: () => Date.now(), after: (ms, run) => {
      const wait = { ms, run };
      this.#waits.push(wait);
      return () => void (this.#waits = this.#waits.filter((one) => one !== wait));
    } });
  }

  /** What is waited for, in milliseconds. */
  get list(): number[] {
    return this.#waits.map((wait) => wait.ms);
  }

  end(): void {
    for (const { run } of this.#waits.splice(0)) run();
  }
}
