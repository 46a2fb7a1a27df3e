// Newline-delimited JSON over a unix socket: how the server talks to its launcher and fork servers.
import { connect, type Socket } from 'node:net';

/** `send` never throws: after the end it drops the message. `close` calls `onClose` as the peer’s end does. */
export interface LineSocket<Sent extends object> {
  send(message: Sent): void;
  close(): void;
}

interface Handlers {
  readonly onMessage: (message: unknown) => void;
  /** Called once, when the peer is gone or the stream makes no sense. */
  readonly onClose: (reason: string) => void;
}

const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Connects; rejects when nobody listens. Messages written in one turn leave in one packet. */
export function connectLines<Sent extends object>(path: string, handlers: Handlers): Promise<LineSocket<Sent>> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(wrap(socket, handlers));
    });
  });
}

/** Whether somebody listens on a unix socket. Never rejects. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (listens: boolean): void => {
      socket.destroy();
      resolve(listens);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

function wrap<Sent extends object>(socket: Socket, handlers: Handlers): LineSocket<Sent> {
  let rest = '';
  let closed = false;
  const close = (reason: string): void => {
    if (closed) return;
    closed = true;
    socket.destroy();
    handlers.onClose(reason);
  };
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES) return close('a line is too long');
    for (const line of lines) {
      if (line === '') continue;
      let message: unknown;
      try {
        message = JSON.parse(line);
      } catch {
        return close('a line is no JSON');
      }
      handlers.onMessage(message);
    }
  });
  socket.on('error', (error) => close(error.message));
  socket.on('close', () => close('the other side closed'));
  return {
    send(message) {
      if (!closed) socket.write(`${JSON.stringify(message)}\n`);
    },
    close: () => close('closed here'),
  };
}
