// The one call that tells what happened: a JSON log line, a metric and a span event from the same fact.
import { type Attributes, trace } from '@opentelemetry/api';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Event, EVENT_LEVELS, type Level } from '#contract/events.ts';
import { isoOf, wallMs } from './clock.ts';

const ORDER: readonly Level[] = ['debug', 'info', 'warn', 'error'];
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 1800];

/** Receives every event after log and metric: the tracer, tests. */
export type EventListener = (event: Event) => void;

/** Where a process reports to. Created once by the composition root and handed on. */
export interface Reporter {
  report(event: Event): void;
  readonly metrics: Registry;
  listen(listener: EventListener): void;
}

/** @param write receives one JSON line without its newline */
export function createReporter(level: Level, write: (line: string) => void): Reporter {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics, prefix: 'leoflow_' });
  const record = createMetrics(metrics);
  const least = ORDER.indexOf(level);
  const listeners: EventListener[] = [];
  return {
    metrics,
    listen: (listener) => void listeners.push(listener),
    report(event) {
      record(event);
      // Without an OpenTelemetry SDK loaded before the program there is no active span, and this does nothing.
      trace.getActiveSpan()?.addEvent(event.event, attributesOf(event));
      const eventLevel = EVENT_LEVELS[event.event];
      if (ORDER.indexOf(eventLevel) >= least) write(JSON.stringify({ time: isoOf(wallMs()), level: eventLevel, ...event }));
      for (const listener of listeners) listener(event);
    },
  };
}

/** An event's facts as span attributes; null is left out. */
function attributesOf(event: Event): Attributes {
  return Object.fromEntries(Object.entries(event).filter(([key, value]) => key !== 'event' && value !== null));
}

/** Metrics with few labels: states, causes, routes; never an id. */
function createMetrics(registry: Registry): (event: Event) => void {
  const registers = [registry];
  const moves = new Counter({ name: 'leoflow_task_moves_total', help: 'Task instance state changes.', labelNames: ['from', 'to', 'cause'], registers });
  const taskSeconds = new Histogram({ name: 'leoflow_task_duration_seconds', help: 'Run time of finished executions.', labelNames: ['state'], buckets: SECONDS, registers });
  const runs = new Counter({ name: 'leoflow_dag_runs_total', help: 'Runs that reached a state.', labelNames: ['state'], registers });
  const commits = new Histogram({ name: 'leoflow_commit_seconds', help: 'Time of one batch commit of the scheduler.', buckets: SECONDS, registers });
  const operations = new Counter({ name: 'leoflow_commit_operations_total', help: 'Operations in those commits.', registers });
  const events = new Counter({ name: 'leoflow_events_total', help: 'Everything reported, by event.', labelNames: ['event'], registers });
  const http = new Histogram({ name: 'leoflow_http_request_seconds', help: 'API requests.', labelNames: ['method', 'route', 'status'], buckets: SECONDS, registers });
  const leader = new Gauge({ name: 'leoflow_leader', help: '1 while this server leads.', registers });
  return (event) => {
    events.inc({ event: event.event });
    switch (event.event) {
      case 'task.moved':
        moves.inc({ from: event.from ?? 'none', to: event.to ?? 'none', cause: event.cause ?? '' });
        if (event.ms !== null) taskSeconds.observe({ state: event.to ?? 'none' }, event.ms / 1000);
        break;
      case 'run.moved': runs.inc({ state: event.to }); break;
      case 'commit.done':
        commits.observe(event.ms / 1000);
        operations.inc(event.operations);
        break;
      case 'http.request': http.observe({ method: event.method, route: event.route, status: String(event.status) }, event.ms / 1000); break;
      case 'leader.elected': leader.set(1); break;
      case 'leader.lost': leader.set(0); break;
      default: break;
    }
  };
}

/** An error's text for a log line: its message and its causes', never a stack. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 5; at = at.cause) parts.push(at.message);
  return parts.length > 0 ? parts.join(': ') : String(error);
}
