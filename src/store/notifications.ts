// Wake-ups between processes: a dedicated connection that listens. Never on the hot path, and never the only way to learn something.
import pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import { callEvery, sleep } from '#platform/clock.ts';
import { closeClient, connectionOptions } from './database.ts';

/** `leoflow_run`: a run's rows were made or changed by somebody (payload: its UUID). `leoflow_dag`: a DAG was registered, paused, removed. `leoflow_pools`: slots changed. */
export const CHANNELS = ['leoflow_run', 'leoflow_dag', 'leoflow_pools'] as const;
export type Channel = (typeof CHANNELS)[number];

/** `stop` resolves when the connection is closed; no handler is called after that. */
export interface Listening {
  stop(): Promise<void>;
}

/** `onGap` is called after every (re)connection, because notices of the time between are lost. */
export interface NoticeHandlers {
  onNotice(channel: Channel, payload: string): void;
  onGap(): void;
}

/** A connection that only listens would never learn that the other side is gone. */
const PROBE_MS = 10_000;

/**
 * Calls `onNotice` for each notification. Reconnects by itself.
 */
export function listen(url: string, handlers: NoticeHandlers): Listening {
  const stopped = new AbortController();
  let current: pg.Client | null = null;
  const loop = async (): Promise<void> => {
    for (let delay = 50; !stopped.signal.aborted; delay = Math.min(delay * 2, 2000)) {
      const client = new pg.Client({ ...connectionOptions(url, 'leoflow-listen'), query_timeout: LIMITS.leaderTimeoutMs });
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
        const stopProbing = callEvery(PROBE_MS, () => void client.query('/* store/notifications.probe */ select 1').catch(() => client.connection.stream.destroy()));
        await ended;
        stopProbing();
      } catch {
        // Not reachable: the server reports that where it matters, here it is only tried again.
      }
      await closeClient(client);
      await sleep(delay, stopped.signal);
    }
  };
  const done = loop();
  return {
    async stop() {
      stopped.abort();
      if (current !== null) await closeClient(current);
      await done;
    },
  };
}
