// Traces over OTLP/HTTP: what has ended becomes spans, sent in batches beside the work. The only user of OpenTelemetry's SDK, loaded when traces are wanted.
import { SpanKind as OtelKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { EndedSpan, ExecutionSpan, SpanListener } from '#contract/spans.ts';
import { spanIdOf, type SpanKind, traceIdOf } from '#core/trace-ids.ts';
import { settledWithin } from './clock.ts';
import { errorText, type Reporter } from './report.ts';

/** `onSpan` queues and never throws; `close` sends what waits, for a moment. */
export interface Traces {
  readonly onSpan: SpanListener;
  close(): Promise<void>;
}

/** A span before it has a resource. `id` is that of the run, the try or the execution it tells of. */
interface Draft {
  readonly kind: SpanKind;
  readonly id: string;
  readonly parent: { readonly kind: SpanKind; readonly id: string } | null;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Attributes;
}

const EVERY_MS = 1000;
const EXPORT_MS = 3000;
const CLOSE_MS = 1500;
const MAX_BATCH = 1024;

/** Connects nothing yet. A collector that is away costs spans and one event, never more. Throws `invalid_config` when the endpoint is no URL. */
export async function openTraces(options: { readonly endpoint: string; readonly serviceName: string; readonly version: string; readonly reporter: Reporter }): Promise<Traces> {
  if (!/^https?:\/\//.test(options.endpoint) || !URL.canParse(options.endpoint)) throw new AppError('invalid_config', `LEOFLOW_OTLP_ENDPOINT=${options.endpoint}: expected a URL like http://localhost:4318`);
  const [{ OTLPTraceExporter }, { BatchSpanProcessor }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-http'), import('@opentelemetry/sdk-trace'), import('@opentelemetry/resources'),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${options.endpoint.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: EXPORT_MS });
  const tell = outageTeller(options.reporter);
  const processor = new BatchSpanProcessor({
    exporter: {
      export: (spans, done) => exporter.export(spans, (result) => {
        tell(result.error ?? null, spans.length);
        // It was told; whoever asked has nothing to do about it.
        done({ code: 0 });
      }),
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: LIMITS.maxQueuedSpans, maxExportBatchSize: MAX_BATCH, scheduledDelayMillis: EVERY_MS, exportTimeoutMillis: 2 * EXPORT_MS,
  });
  const resource = resourceFromAttributes({ 'service.name': options.serviceName, 'service.version': options.version });
  const instrumentationScope = { name: 'leoflow', version: options.version };
  return {
    onSpan(span) {
      for (const draft of draftsOf(span)) processor.onEnd({ ...spanOf(span, draft), resource, instrumentationScope });
    },
    close: () => settledWithin(processor.shutdown(), CLOSE_MS),
  };
}

/** One event when it begins to fail, one when it works again. */
function outageTeller(reporter: Reporter): (error: Error | null, spans: number) => void {
  let dropped = 0;
  return (error, spans) => {
    if (error !== null) {
      if (dropped === 0) reporter.report({ event: 'traces.unavailable', error: errorText(error) });
      dropped += spans;
    } else if (dropped > 0) {
      reporter.report({ event: 'traces.available', dropped });
      dropped = 0;
    }
  };
}

function draftsOf(span: EndedSpan): readonly Draft[] {
  const { startMs, endMs } = span;
  switch (span.kind) {
    case 'run': return [{
      kind: 'run', id: span.run, parent: null, name: span.dagId, startMs, endMs, isError: span.state === 'failed',
      attributes: { dag_id: span.dagId, run_id: span.runId, run_type: span.runType, state: span.state },
    }];
    case 'try': return [{
      kind: 'try', id: span.attemptId, parent: { kind: 'run', id: span.run }, name: span.taskId, startMs, endMs, isError: span.state === 'failed' || span.state === 'up_for_retry',
      attributes: { task_id: span.taskId, map_index: span.mapIndex, try_number: span.tryNumber, state: span.state ?? 'none', ...causeOf(span) },
    }];
    case 'execution': return draftsOfExecution(span);
  }
}

function draftsOfExecution(span: ExecutionSpan): readonly Draft[] {
  const { executionId: id, userCode, reportedMs, startMs, endMs } = span;
  const isError = span.state === 'failed' || span.state === 'lost';
  const parent = { kind: 'execution', id } as const;
  const part = (kind: SpanKind, from: number, to: number): Draft => ({ kind, id, parent, name: kind, startMs: from, endMs: Math.max(from, to), isError: false, attributes: {} });
  return [
    { kind: 'execution', id, parent: { kind: 'try', id: span.attemptId }, name: 'execution', startMs, endMs, isError, attributes: { execution_id: id, state: span.state, ...causeOf(span) } },
    ...(userCode === null ? [] : [part('launch', startMs, userCode.startMs), { ...part('user code', userCode.startMs, userCode.endMs), isError }]),
    ...(reportedMs === null ? [] : [part('record', reportedMs, endMs)]),
  ];
}

function causeOf({ cause }: { readonly cause: string | null }): Attributes {
  return cause === null ? {} : { cause };
}

function spanOf(ended: EndedSpan, draft: Draft): Omit<ReadableSpan, 'resource' | 'instrumentationScope'> {
  const traceId = traceIdOf(ended.run);
  const contextOf = (kind: SpanKind, id: string): SpanContext => ({ traceId, spanId: spanIdOf(kind, id), traceFlags: TraceFlags.SAMPLED });
  const own = contextOf(draft.kind, draft.id);
  return {
    name: draft.name, kind: OtelKind.INTERNAL, spanContext: () => own, ...(draft.parent === null ? {} : { parentSpanContext: contextOf(draft.parent.kind, draft.parent.id) }),
    startTime: hrTime(draft.startMs), endTime: hrTime(draft.endMs), duration: hrTime(draft.endMs - draft.startMs), ended: true,
    status: { code: draft.isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET }, attributes: draft.attributes,
    links: [], events: [], droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
