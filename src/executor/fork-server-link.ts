// A fork server from outside: the first words on a connection to it.
import type { FromForkServer } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { connectLines, type LineSocket } from '#platform/line-socket.ts';

interface ForkServerHandlers {
  /** Before its answer. */
  readonly onLink: (link: LineSocket) => void;
  /** What follows the hello. */
  readonly onMessage: (message: Exclude<FromForkServer, { op: 'hello' }>) => void;
  /** The end of the connection, also of one that was never greeted. */
  readonly onClose: (reason: string) => void;
}

/** Says hello as the leader of this epoch. @returns what runs there, null when nobody answers or a newer leader is obeyed */
export function greetForkServer(socket: string, hello: { readonly epoch: number; readonly agentSocket: string }, handlers: ForkServerHandlers): Promise<readonly { execution_id: ExecutionId; pid: number }[] | null> {
  return new Promise((resolve) => {
    connectLines(socket, {
      onMessage: (raw) => {
        const message = raw as FromForkServer;
        if (message.op === 'hello') resolve(message.running);
        else if (message.op === 'refused' && message.execution_id === undefined) resolve(null);
        else handlers.onMessage(message);
      },
      onClose: (reason) => {
        resolve(null);
        handlers.onClose(reason);
      },
    }).then((link) => {
      handlers.onLink(link);
      link.send({ op: 'hello', epoch: hello.epoch, agent_socket: hello.agentSocket });
    }, () => resolve(null));
  });
}
