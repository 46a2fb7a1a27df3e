// `leoflow xcom pull`: XComs of an Airflow that only its own pods can reach, and `--watch` while a run goes on.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import type { PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import { listRuns, pullXComs, type PullRequest, requestOf } from '#devloop/xcom-reader/pull.ts';
import type { Layers } from '#devloop/xcom-reader/decode-value.ts';
import { renderExactJson } from '#devloop/xcom-reader/python-json.ts';
import { parseValuePath, partOf } from '#devloop/xcom-reader/value-path.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { sleep } from '#platform/clock.ts';
import { type OpenReader, type ReaderContext, type ReaderFlags, withReader, withReaderFlags } from './open-reader.ts';
import { printable } from './output.ts';
import { renderCell, renderPlace, renderPull, renderRemarks, renderRuns, renderRunsCsv, TRUNCATED, type XComFormat } from './render-xcoms.ts';
import { readerCommand, readerInteger } from './reader-command.ts';

interface PullFlags extends ReaderFlags {
  readonly dagId?: string;
  readonly runId?: string;
  readonly taskId?: string;
  readonly allTasks?: boolean;
  readonly mapIndex?: string;
  readonly key: string;
  readonly listKeys?: boolean;
  readonly listRuns?: boolean;
  readonly limit: string;
  readonly maxBytes: string;
  readonly layers: string;
  readonly resolve?: boolean;
  readonly path?: string;
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
  readonly watch?: boolean;
  readonly interval: string;
  readonly failEmpty?: boolean;
  readonly strict?: boolean;
  readonly explain?: boolean;
}

const EXAMPLES = `
Example:
  leoflow xcom pull --dag-id train --list-runs
  leoflow xcom pull --dag-id train --run-id latest:success --task-id 'fit_*' --path .auc
  leoflow xcom pull --dag-id train --run-id latest --key '*' --json --out xcoms.json

Nothing can be written. Exit codes: 2 usage, 3 cluster or pod,
4 exec or time-out, 5 database, 6 answer cut, 7 not decoded (--strict), 10 nothing matched (--fail-empty).
`;

/** `xcom pull`. */
export function pullCommand(context: ReaderContext): Command {
  const command = readerCommand('pull', 'Read XComs of an Airflow whose database only its own pods reach, by one SELECT inside the scheduler’s pod.')
    .option('--dag-id <id>', 'DAG (required)')
    .option('--run-id <id>', 'run: its id, a unique beginning of it, latest, or latest:success (required but for --list-runs)')
    .option('--task-id <glob>', 'only these tasks')
    .option('--all-tasks', 'every task: the same as leaving --task-id out')
    .option('--map-index <range>', 'only these map indexes: 3, 0..9, or -1 for what is not mapped')
    .option('--key <glob>', "key, '*' for every one", 'return_value')
    .option('--list-keys', 'list keys and sizes, no values')
    .option('--list-runs', 'list the DAG’s last runs')
    .option('--limit <n>', 'rows at most', '20')
    .option('--max-bytes <n>', 'of each value at most', '1048576')
    .option('--layers <n>', 'layers of JSON to take off: 0, 1, 2, or auto', 'auto')
    .option('--resolve', 'fetch values that XComObjectStorageBackend keeps outside the database, in the pod')
    .option('--path <path>', 'only this part of each value, as jq writes it: .metrics.auc')
    .option('--json', 'print JSON').option('--jsonl', 'print one JSON object a line').option('--csv', 'print CSV').option('--out <file>', 'write it to a file')
    .option('--watch', 'go on until the run has ended, printing what is new').option('--interval <seconds>', 'between two looks of --watch', '5')
    .option('--fail-empty', 'exit 10 when nothing matched').option('--strict', 'exit 7 when a value could not be decoded')
    .option('--explain', 'say who is asked, and print the statements; asks for keys only')
    .addHelpText('after', EXAMPLES);
  return withReaderFlags(command).action(async (flags: PullFlags) => {
    const request = parseFlags(flags);
    await withReader(context, flags, async (reader) => {
      if (flags.explain === true) return (await import('./explain-reader.ts')).explain(context, reader, request);
      if (flags.listRuns === true) return printRuns(context, reader, { request, flags });
      return flags.watch === true ? watch(context, reader, { request, flags }) : print(context, await pullXComs(reader.transport, request), flags);
    });
  });
}

/** Throws `reader_usage` for flags that exclude or miss each other. */
function checkFlags(flags: PullFlags): void {
  if (flags.allTasks === true && flags.taskId !== undefined) throw new AppError('reader_usage', '--all-tasks and --task-id exclude each other');
  if ((flags.runId ?? '') === '' && flags.listRuns !== true) throw new AppError('reader_usage', '--run-id is missing', { hint: `\`leoflow xcom pull --dag-id ${flags.dagId ?? ''} --list-runs\` lists them; \`--run-id latest\` takes the newest.` });
  if ([flags.json, flags.jsonl, flags.csv].filter((one) => one === true).length > 1) throw new AppError('reader_usage', '--json, --jsonl and --csv exclude each other');
  if (!['auto', '0', '1', '2'].includes(flags.layers)) throw new AppError('reader_usage', `--layers ${flags.layers}: expected 0, 1, 2 or auto`);
  if (flags.watch === true && (flags.csv === true || flags.out !== undefined || flags.strict === true)) throw new AppError('reader_usage', '--watch prints lines as they come: it excludes --csv, --out and --strict', { hint: 'Use --jsonl, and redirect it.' });
  if (flags.path !== undefined) parseValuePath(flags.path);
}

function parseFlags(flags: PullFlags): PullRequest {
  if (flags.dagId === undefined || flags.dagId === '') throw new AppError('reader_usage', '--dag-id is missing');
  checkFlags(flags);
  return requestOf({
    dagId: flags.dagId, runId: flags.runId ?? 'latest', task: flags.taskId ?? null, key: flags.listKeys === true && flags.key === 'return_value' ? '*' : flags.key, mapIndex: flags.mapIndex ?? null,
    limit: readerInteger('limit', flags.limit, [1, 100_000]), maxBytes: readerInteger('max-bytes', flags.maxBytes, [1, 64 * 1024 * 1024]), keysOnly: flags.listKeys === true, resolve: flags.resolve === true,
    layers: (flags.layers === 'auto' ? 'auto' : Number(flags.layers)) as Layers,
  });
}

function formatOf(flags: PullFlags): XComFormat {
  return flags.json === true ? 'json' : flags.jsonl === true ? 'jsonl' : flags.csv === true ? 'csv' : 'table';
}

interface Asked { readonly request: PullRequest; readonly flags: PullFlags }

async function printRuns(context: ReaderContext, reader: OpenReader, { request, flags }: Asked): Promise<void> {
  const { runs, hints } = await listRuns(reader.transport, { dagId: request.dagId, limit: request.limit });
  if (flags.csv === true) deliver(context, renderRunsCsv(runs), flags);
  else if (formatOf(flags) !== 'table') deliver(context, `${renderExactJson({ dag_id: request.dagId, runs, hints }, 2)}\n`, flags);
  else if (runs.length > 0) deliver(context, renderRuns(runs), flags);
  for (const hint of hints) context.err(`${printable(hint)}\n`);
  if (runs.length === request.limit) context.err(`the last ${runs.length}; there may be more: raise --limit\n`);
  if (runs.length === 0 && flags.failEmpty === true) throw new AppError('reader_empty', 'no run matched');
}

function deliver(context: ReaderContext, text: string, flags: PullFlags): void {
  if (flags.out === undefined) return context.out(text);
  if (!existsSync(dirname(flags.out))) throw new AppError('reader_usage', `there is no folder ${dirname(flags.out)}`);
  writeFileAtomic(flags.out, text);
  context.err(`written to ${flags.out}\n`);
}

/** The pull with the wanted part of each value. */
function narrow(pull: XComPull, flags: PullFlags): XComPull {
  if (flags.path === undefined) return pull;
  const path = parseValuePath(flags.path);
  return { ...pull, xcoms: pull.xcoms.map((xcom) => narrowOne(xcom, path, flags.path ?? '')) };
}

function narrowOne(xcom: PulledXCom, path: readonly (string | number)[], text: string): PulledXCom {
  const value = partOf(xcom.value, path);
  return { ...xcom, value: value ?? null, decodeNotes: value === undefined ? [...xcom.decodeNotes, `$: has no ${text}`] : xcom.decodeNotes };
}

function print(context: ReaderContext, whole: XComPull, flags: PullFlags): void {
  const pull = narrow(whole, flags);
  const format = formatOf(flags);
  deliver(context, renderPull(pull, format), flags);
  if (format === 'table') context.err(renderRemarks(pull));
  else if (pull.truncated) context.err(`${TRUNCATED}\n`);
  if (pull.xcoms.length === 0) tellEmpty(context, pull, flags);
  const lost = pull.xcoms.filter((xcom) => xcom.encoding === 'opaque');
  if (flags.strict === true && lost.length > 0) throw new AppError('reader_decode', `${lost.length} of ${pull.xcoms.length} values were not decoded: ${lost.slice(0, 5).map((xcom) => `${xcom.task_id}.${xcom.key} ${xcom.decodeNotes[0] ?? ''}`).join('; ')}`);
}

function tellEmpty(context: ReaderContext, pull: XComPull, flags: PullFlags): void {
  context.err('no XCom matched\n');
  for (const hint of pull.hints) context.err(`  → ${printable(hint)}\n`);
  if (flags.failEmpty === true) throw new AppError('reader_empty', 'nothing matched');
}

const ENDED = ['success', 'failed'];
const PATIENCE = 5;

/** Looks again and again until the run has ended, and prints what is new or changed. A look that fails for a reason that passes is told and repeated. */
async function watch(context: ReaderContext, reader: OpenReader, { request, flags }: Asked): Promise<void> {
  const seconds = readerInteger('interval', flags.interval, [1, 3600]);
  const seen = new Map<string, string>();
  let pinned = request;
  let isToldTruncated = false;
  for (let failures = 0; !context.stop.aborted;) {
    try {
      const pull = narrow(await pullXComs(reader.transport, pinned), flags);
      failures = 0;
      const [run] = pull.runs;
      // `latest` is decided once: a run that starts meanwhile is another one's.
      if (run !== undefined) pinned = { ...request, run: { kind: 'id', id: run.run_id } };
      for (const xcom of pull.xcoms) printNew(context, xcom, { seen, flags });
      if (pull.truncated && !isToldTruncated) context.err(`${TRUNCATED}\n`);
      isToldTruncated ||= pull.truncated;
      if (run === undefined) return tellEmpty(context, pull, flags);
      if (ENDED.includes(run.state ?? '')) return context.err(`${run.run_id} ended: ${run.state ?? ''}\n`);
    } catch (error) {
      failures += 1;
      if (!(error instanceof AppError) || !['reader_exec', 'reader_protocol', 'reader_cluster'].includes(error.code) || failures >= PATIENCE) throw error;
      context.err(`${error.message}; looking again in ${seconds} s\n`);
    }
    await sleep(seconds * 1000, context.stop);
  }
}

function printNew(context: ReaderContext, xcom: PulledXCom, how: { seen: Map<string, string>; flags: PullFlags }): void {
  const place = JSON.stringify([xcom.run_id, xcom.task_id, xcom.map_index, xcom.key]);
  const text = renderExactJson([xcom.value, xcom.timestamp]);
  if (how.seen.get(place) === text) return;
  const isNew = !how.seen.has(place);
  how.seen.set(place, text);
  const isJson = how.flags.json === true || how.flags.jsonl === true;
  context.out(isJson ? `${renderExactJson(xcom)}\n` : `${xcom.timestamp ?? ''}  ${isNew ? '+' : '~'} ${renderPlace(xcom)}.${printable(xcom.key)}  ${renderCell(xcom)}\n`);
}
