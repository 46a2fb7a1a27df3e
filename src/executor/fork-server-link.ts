// A fork server from outside: the first words on a connection to it.
import type { FromForkServer, ToForkServer } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { callLater } from '#platform/clock.ts';
import { connectLines, type LineSocket } from '#platform/line-socket.ts';
import { GREETING_MS } from './launcher-link.ts';

interface ForkServerHandlers {
  /** It said hello. */
  readonly onLink: (link: LineSocket<ToForkServer>) => void;
  /** What follows the hello. */
  readonly onMessage: (message: Exclude<FromForkServer, { op: 'hello' }>) => void;
  /** The end of a connection that was greeted. */
  readonly onClose: (reason: string) => void;
}

/**
 * Says hello as the leader of this epoch. One that is stopped, or whose user code holds the interpreter, still accepts connections.
 * @returns what runs there, null when nobody answers in time or a newer leader is obeyed
 */
export function greetForkServer(socket: string, hello: { readonly epoch: number; readonly agentSocket: string }, handlers: ForkServerHandlers): Promise<readonly { execution_id: ExecutionId; pid: number }[] | null> {
  return new Promise((resolve) => {
    let link: LineSocket<ToForkServer> | null = null;
    let state: 'waiting' | 'greeted' | 'over' = 'waiting';
    const giveUp = (): void => {
      if (state !== 'waiting') return;
      state = 'over';
      callOff();
      resolve(null);
      link?.close();
    };
    const callOff = callLater(GREETING_MS, giveUp);
    const greet = (message: FromForkServer): void => {
      if (message.op !== 'hello' || link === null) return giveUp();
      state = 'greeted';
      callOff();
      handlers.onLink(link);
      resolve(message.running);
    };
    connectLines<ToForkServer>(socket, {
      onMessage: (raw) => {
        const message = raw as FromForkServer;
        if (state === 'waiting') greet(message);
        else if (state === 'greeted' && message.op !== 'hello') handlers.onMessage(message);
      },
      onClose: (reason) => {
        if (state === 'greeted') handlers.onClose(reason);
        giveUp();
      },
    }).then((made) => {
      if (state !== 'waiting') return made.close();
      link = made;
      made.send({ op: 'hello', epoch: hello.epoch, agent_socket: hello.agentSocket });
    }, giveUp);
  });
}
