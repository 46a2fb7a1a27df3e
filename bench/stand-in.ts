// Stands in for launcher, fork servers and children: takes jobs as they do and reports success at once over the agent API. No process is started.
import { createServer, connect, type Server, type Socket } from 'node:net';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionSpec, ToForkServer, ToLauncher } from '#contract/attempt.ts';
import { launcherSocket } from '#executor/launcher-link.ts';
import type { Workbench } from './workbench.ts';

const CONNECTIONS = 48;

/** What it has seen. Times in milliseconds. */
export interface Seen {
  /** Executions whose report was recorded. */
  done: number;
  /** Reports that had to be sent again. */
  refused: number;
  /** From each report sent to its answer. */
  readonly answeredMs: number[];
  /** From a run's report sent to its next job: a decision, with its commit. */
  readonly decidedMs: number[];
  /** Tasks that began, by run. */
  readonly begun: Map<string, number>;
}

type Line = (message: object) => void;

/** Calls `take` with each line of JSON; answers how to send one. */
function speakLines(socket: Socket, take: (message: unknown) => void): Line {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') take(JSON.parse(line));
  });
  socket.on('error', () => undefined);
  return (message) => void socket.write(`${JSON.stringify(message)}\n`);
}

/** One kept connection to the agent API; one request at a time. */
class AgentConnection {
  readonly #socket: Socket;
  isOpen = true;
  #answered: (ok: boolean) => void = () => undefined;
  #data = '';

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.setEncoding('latin1').on('data', (chunk: string) => this.#read(chunk));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.isOpen = false;
      this.#answered(false);
    });
  }

  post(spec: ExecutionSpec, answered: (ok: boolean) => void): void {
    const at = new Date().toISOString();
    const body = JSON.stringify({ execution_id: spec.execution_id, started_at: at, outcome: 'success', rendered_fields: { op_args: '()', op_kwargs: {} }, ended_at: at });
    this.#answered = answered;
    this.#socket.write(`POST /agent/v1/report HTTP/1.1\r\nHost: leoflow\r\nAuthorization: Bearer ${spec.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }

  #read(chunk: string): void {
    this.#data += chunk;
    const end = this.#data.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#data)?.[1] ?? 0);
    if (this.#data.length < end + 4 + length) return;
    const ok = this.#data.startsWith('HTTP/1.1 200');
    this.#data = '';
    this.#answered(ok);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** One per server home. Listens before the server starts, so that the server finds a launcher there and starts none. */
export class StandIn {
  readonly seen: Seen = { done: 0, refused: 0, answeredMs: [], decidedMs: [], begun: new Map() };
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #free: AgentConnection[] = [];
  readonly #all = new Set<AgentConnection | undefined>();
  readonly #queue: (() => void)[] = [];
  readonly #reportedAt = new Map<string, number>();
  #agentSocket = '';
  #pid = 100_000;
  #exits: { to: Line; children: object[] }[] = [];
  #onDone: () => void = () => undefined;

  /** @param home the folder of the server that it works for */
  static async listen(bench: Workbench, home: string): Promise<StandIn> {
    const standIn = new StandIn();
    const folder = join(bench.folder, home);
    mkdirSync(join(folder, 'run'), { recursive: true, mode: 0o711 });
    const forkServers = join(folder, 'run', 'stand-in.sock');
    await standIn.#listen(forkServers, (socket) => standIn.#serveForkServer(socket));
    await standIn.#listen(launcherSocket(folder), (socket) => standIn.#serveLauncher(socket, forkServers));
    bench.defer(() => standIn.close());
    return standIn;
  }

  /** Resolves when that many executions in all are done. */
  async untilDone(count: number, limitMs = 120_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.seen.done} of ${count} executions after ${limitMs} ms`)), limitMs);
      this.#onDone = () => {
        if (this.seen.done < count) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onDone();
    });
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const connection of this.#all) connection?.close();
  }

  #listen(path: string, serve: (socket: Socket) => void): Promise<void> {
    rmSync(path, { force: true });
    return new Promise((resolve) => {
      const server = createServer((socket) => {
        this.#sockets.add(socket);
        socket.on('close', () => this.#sockets.delete(socket));
        serve(socket);
      });
      this.#servers.push(server);
      server.listen(path, resolve);
    });
  }

  #serveLauncher(socket: Socket, forkServers: string): void {
    const send = speakLines(socket, (raw) => {
      const message = raw as ToLauncher;
      if (message.op === 'hello') send({ op: 'hello', pid: process.pid, epoch: message.epoch, fork_servers: [] });
      else if (message.op === 'start') {
        const { id, version_id } = message.fork_server;
        send({ op: 'started', fork_server: { id, version_id, pid: process.pid, socket: forkServers }, import_ms: 1 });
      } else if (message.op === 'shutdown') socket.end();
    });
  }

  #serveForkServer(socket: Socket): void {
    const send = speakLines(socket, (raw) => {
      const message = raw as ToForkServer;
      if (message.op === 'hello') {
        this.#agentSocket = message.agent_socket;
        send({ op: 'hello', pid: process.pid, epoch: message.epoch, running: [] });
      } else if (message.op === 'run') this.#take(message.spec, send);
    });
  }

  #take(spec: ExecutionSpec, send: Line): void {
    const pid = (this.#pid += 1);
    const reported = this.#reportedAt.get(spec.run.id);
    if (reported !== undefined) this.seen.decidedMs.push(performance.now() - reported);
    this.seen.begun.set(spec.run.id, (this.seen.begun.get(spec.run.id) ?? 0) + 1);
    send({ op: 'begun', execution_id: spec.execution_id, pid });
    this.#report(spec, () => {
      this.seen.done += 1;
      this.#exit(send, { pid, execution_id: spec.execution_id, status: 0, signal: null, oom: false });
      this.#onDone();
    });
  }

  /** Asks again until it is recorded, as an agent does while nobody leads. */
  #report(spec: ExecutionSpec, recorded: () => void, delayMs = 50): void {
    this.#withConnection((connection) => {
      const sent = performance.now();
      this.#reportedAt.set(spec.run.id, sent);
      connection.post(spec, (ok) => {
        this.#free.push(connection);
        this.#queue.shift()?.();
        if (!ok) {
          this.seen.refused += 1;
          setTimeout(() => this.#report(spec, recorded, Math.min(delayMs * 2, 5000)), delayMs);
          return;
        }
        this.seen.answeredMs.push(performance.now() - sent);
        recorded();
      });
    });
  }

  /** Exits are told in batches, as the fork server does. */
  #exit(to: Line, child: object): void {
    const known = this.#exits.find((one) => one.to === to);
    if (known !== undefined) return void known.children.push(child);
    this.#exits.push({ to, children: [child] });
    if (this.#exits.length > 1) return;
    setImmediate(() => {
      const exits = this.#exits;
      this.#exits = [];
      for (const { to: send, children } of exits) send({ op: 'exited', children });
    });
  }

  #withConnection(use: (connection: AgentConnection) => void): void {
    // A server that was killed takes its connections with it.
    while (this.#free.at(-1)?.isOpen === false) this.#all.delete(this.#free.pop());
    const free = this.#free.pop();
    if (free !== undefined) return use(free);
    if (this.#all.size < CONNECTIONS) {
      const made = new AgentConnection(this.#agentSocket);
      this.#all.add(made);
      return use(made);
    }
    this.#queue.push(() => this.#withConnection(use));
  }
}
