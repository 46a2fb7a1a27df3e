// A TCP proxy that misbehaves on demand: `node proxy.ts SOCKET` prints its port, then obeys one mode per line of standard input.
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * `swallow`: nothing passes in either direction and nobody is told; what was sent arrives late, after `forward`. `reset`: connections are cut and refused.
 * `slow`: each packet to the database waits. `lose_reply`: the next message with this text is passed on, its answer is not; `cut` then resets the connection, else it stays silent.
 */
export type ProxyMode =
  | { readonly mode: 'forward' }
  | { readonly mode: 'swallow' }
  | { readonly mode: 'reset' }
  | { readonly mode: 'slow'; readonly ms: number }
  | { readonly mode: 'lose_reply'; readonly text: string; readonly cut: boolean };

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** The answer to what was just passed on is to be lost. */
  losing: boolean;
}

const [target = ''] = process.argv.slice(2);
const pairs = new Set<Pair>();
const waiting = new Set<Socket>();
let mode: ProxyMode = { mode: 'forward' };

function open(client: Socket): void {
  waiting.delete(client);
  if (client.destroyed) return;
  const server = connect(target);
  const pair: Pair = { client, server, losing: false };
  pairs.add(pair);
  const close = (): void => {
    pairs.delete(pair);
    client.destroy();
    server.destroy();
  };
  client.setNoDelay(true);
  client.on('data', (chunk: Buffer) => toServer(pair, chunk));
  server.on('data', (chunk: Buffer) => toClient(pair, chunk));
  for (const socket of [client, server]) socket.on('error', close).on('close', close);
}

function toServer(pair: Pair, chunk: Buffer): void {
  if (mode.mode === 'lose_reply' && chunk.includes(mode.text)) pair.losing = true;
  if (mode.mode !== 'slow') return void pair.server.write(chunk);
  // One packet at a time, as a long line would.
  pair.client.pause();
  setTimeout(() => {
    pair.server.write(chunk);
    if (mode.mode !== 'swallow') pair.client.resume();
  }, mode.ms);
}

function toClient(pair: Pair, chunk: Buffer): void {
  if (!pair.losing) return void pair.client.write(chunk);
  // The statement is answered, so it is committed; the client never hears of it.
  process.stdout.write(`${JSON.stringify({ lost: chunk.length })}\n`);
  pair.losing = false;
  if (mode.mode === 'lose_reply' && mode.cut) pair.client.resetAndDestroy();
  mode = { mode: 'forward' };
}

function obey(next: ProxyMode): void {
  mode = next;
  for (const pair of pairs) {
    if (mode.mode === 'reset') pair.client.resetAndDestroy();
    else for (const socket of [pair.client, pair.server]) if (mode.mode === 'swallow') socket.pause(); else socket.resume();
  }
  if (mode.mode === 'swallow') return;
  for (const client of waiting) if (mode.mode === 'reset') client.resetAndDestroy(); else open(client);
}

const listener = createServer((client) => {
  client.on('error', () => client.destroy());
  client.on('close', () => waiting.delete(client));
  if (mode.mode === 'reset') return void client.resetAndDestroy();
  // Accepted by the kernel, heard by nobody.
  waiting.add(client);
  if (mode.mode !== 'swallow') open(client);
});
listener.listen(0, '127.0.0.1', () => {
  const address = listener.address();
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' && address !== null ? address.port : 0 })}\n`);
});
createInterface({ input: process.stdin }).on('line', (line) => {
  obey(JSON.parse(line) as ProxyMode);
  process.stdout.write(`${JSON.stringify({ obeyed: mode.mode })}\n`);
}).on('close', () => process.exit(0));
