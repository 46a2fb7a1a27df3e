// Wake-ups between processes: a dedicated connection that listens. Never on the hot path, and never the only way to learn something.
import pg from 'pg';
import { sleep } from '#platform/clock.ts';
import { connectionOptions } from './database.ts';

/** `leoflow_run`: a run's rows were made or changed by somebody (payload: its UUID). `leoflow_dag`: a DAG was registered, paused, removed. `leoflow_pools`: slots changed. */
export const CHANNELS = ['leoflow_run', 'leoflow_dag', 'leoflow_pools'] as const;
export type Channel = (typeof CHANNELS)[number];

/** `stop` resolves when the connection is closed; no handler is called after that. */
export interface Listening {
  stop(): Promise<void>;
}

/**
 * Calls `onNotice` for each notification. Reconnects by itself; `onGap` is called after every (re)connection, because notices
 * of the time between are lost.
 */
export function listen(url: string, handlers: { onNotice: (channel: Channel, payload: string) => void; onGap: () => void }): Listening {
  const stopped = new AbortController();
  let current: pg.Client | null = null;
  const loop = async (): Promise<void> => {
    for (let delay = 50; !stopped.signal.aborted; delay = Math.min(delay * 2, 2000)) {
      const client = new pg.Client({ ...connectionOptions(url, 'leoflow-listen'), query_timeout: 0 });
      current = client;
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve);
        client.once('error', () => resolve());
      });
      try {
        await client.connect();
        client.on('notification', (message) => {
          const channel = CHANNELS.find((name) => name === message.channel);
          if (channel !== undefined) handlers.onNotice(channel, message.payload ?? '');
        });
        await client.query(CHANNELS.map((channel) => `listen ${channel}`).join('; '));
        delay = 50;
        handlers.onGap();
        await ended;
      } catch {
        // Not reachable: the server reports that where it matters, here it is only tried again.
      }
      await client.end().catch(() => undefined);
      await sleep(delay, stopped.signal);
    }
  };
  const done = loop();
  return {
    async stop() {
      stopped.abort();
      await current?.end().catch(() => undefined);
      await done;
    },
  };
}
