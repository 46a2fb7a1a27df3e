// `leoflow xcom diff` and `leoflow xcom table`: what changed between two runs, and values over many.
import { Command, Option } from 'commander';
import { AppError } from '#contract/errors.ts';
import type { XComPull } from '#contract/xcom-reader.ts';
import { type ComparedXCom, compareRuns, type Difference } from '#devloop/xcom-reader/compare-runs.ts';
import { type PullRequest, pullXComs, requestOf } from '#devloop/xcom-reader/pull.ts';
import { renderExactJson } from '#devloop/xcom-reader/python-json.ts';
import { buildTrajectory, renderPlot, type Trajectory } from '#devloop/xcom-reader/trajectory.ts';
import { parseValuePath, partOf } from '#devloop/xcom-reader/value-path.ts';
import { type ReaderContext, type ReaderFlags, withReader, withReaderFlags } from './open-reader.ts';
import { printable, renderTable } from './output.ts';
import { readerCommand, readerInteger } from './reader-command.ts';
import { renderCsv, renderPlace, TRUNCATED } from './render-xcoms.ts';

interface CompareFlags extends ReaderFlags {
  readonly dagId?: string;
  readonly taskId?: string;
  readonly key: string;
  readonly mapIndex?: string;
  readonly json?: boolean;
  readonly limit: string;
}

interface TableFlags extends CompareFlags {
  readonly runs: string;
  readonly state?: string;
  readonly runId?: string;
  readonly path?: string;
  readonly csv?: boolean;
  readonly plot?: boolean;
}

function compareFlags(command: Command, key: string): Command {
  return command.option('--dag-id <id>', 'DAG (required)').option('--task-id <glob>', 'only these tasks').option('--key <glob>', 'key', key)
    .option('--map-index <range>', 'only these map indexes').option('--limit <n>', 'rows at most of each run', '1000').option('--json', 'print JSON');
}

function requestFor(flags: CompareFlags, runId: string): PullRequest {
  if (flags.dagId === undefined || flags.dagId === '') throw new AppError('reader_usage', '--dag-id is missing');
  return requestOf({
    dagId: flags.dagId, runId, task: flags.taskId ?? null, key: flags.key, mapIndex: flags.mapIndex ?? null, limit: readerInteger('limit', flags.limit, [1, 100_000]), maxBytes: 1024 * 1024, keysOnly: false, resolve: false, layers: 'auto',
  });
}

/** `xcom diff`. */
export function diffCommand(context: ReaderContext): Command {
  const command = compareFlags(readerCommand('diff', 'What differs between the XComs of two runs. RUN as in `xcom pull`.'), '*').option('--exit-code', 'exit 1 when something differs');
  return withReaderFlags(command).argument('<before>', 'run').argument('<after>', 'run')
    .addHelpText('after', "\nExample:\n  leoflow xcom diff --dag-id train --task-id 'fit_*' scheduled__2026-01-01 latest:success\n")
    .action(async (before: string, after: string, flags: CompareFlags & { readonly exitCode?: boolean }) => {
      await withReader(context, flags, async ({ transport }) => {
        const [was, is] = [await pullXComs(transport, requestFor(flags, before)), await pullXComs(transport, requestFor(flags, after))];
        for (const pull of [was, is]) requireRun(context, pull);
        const result = compareRuns(was.xcoms, is.xcoms);
        if (was.xcoms.length === 0 && is.xcoms.length === 0) context.err(`no XCom matched in either run\n${[...was.hints, ...is.hints].map((hint) => `  → ${printable(hint)}\n`).join('')}`);
        const [first, second] = [was.runs[0]?.run_id ?? before, is.runs[0]?.run_id ?? after];
        if (flags.json === true) context.out(`${renderExactJson({ dag_id: was.dag_id, before: first, after: second, same: result.same, truncated: was.truncated || is.truncated, differences: result.compared }, 2)}\n`);
        else context.out(`${printable(first)} → ${printable(second)}\n${result.compared.map(renderCompared).join('')}${result.compared.length === 0 ? 'no difference' : `${result.compared.length} differ`}, ${result.same} are the same\n`);
        if (was.truncated || is.truncated) context.err(`${TRUNCATED}\n`);
        if (flags.exitCode === true && result.compared.length > 0) context.exitWith(1);
      });
    });
}

function requireRun(context: ReaderContext, pull: XComPull): void {
  if (pull.runs.length > 0) return;
  for (const hint of pull.hints) context.err(`  → ${printable(hint)}\n`);
  throw new AppError('reader_usage', `there is no such run of ${pull.dag_id}`, { hint: '`leoflow xcom pull --list-runs` lists them.' });
}

function renderCompared(one: ComparedXCom): string {
  const place = `${renderPlace(one)}.${printable(one.key)}`;
  const sign = { only_before: '-', only_after: '+', changed: '~', not_compared: '?' }[one.kind];
  return `${sign} ${place}${one.kind === 'not_compared' ? '  equal as far as it was read (1 MiB)' : ''}\n${one.differences.map((difference) => `    ${renderDifference(difference)}\n`).join('')}${one.more ? '    … and more\n' : ''}`;
}

const short = (value: unknown): string => {
  const text = value === undefined ? '–' : printable(renderExactJson(value));
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};

function renderDifference({ path, before, after, delta }: Difference): string {
  return `${printable(path)}  ${short(before)} → ${short(after)}${delta === null ? '' : `  (${delta > 0 ? '+' : ''}${delta})`}`;
}

/** `xcom table`. */
export function tableCommand(context: ReaderContext): Command {
  const command = compareFlags(readerCommand('table', 'A value over the last runs, or over the map indexes of one run, as a table, CSV or a plot.'), 'return_value')
    .option('--runs <n>', 'the last so many runs', '10').option('--state <state>', 'only runs in this state, e.g. success')
    .option('--run-id <id>', 'one run: rows are then its map indexes').addOption(new Option('--pivot <what>', 'what a row stands for').choices(['run', 'map_index']))
    .option('--path <path>', 'only this part of each value: .auc').option('--csv', 'print CSV').option('--plot', 'draw each column of numbers');
  return withReaderFlags(command)
    .addHelpText('after', '\nExample:\n  leoflow xcom table --dag-id train --task-id evaluate --path .auc --runs 30 --plot\n')
    .action(async (flags: TableFlags & { readonly pivot?: Trajectory['pivot'] }) => {
      const pivot = flags.pivot ?? (flags.runId === undefined ? 'run' : 'map_index');
      if (pivot === 'map_index' && flags.runId === undefined) throw new AppError('reader_usage', '--pivot map_index needs --run-id');
      await withReader(context, flags, async ({ transport }) => {
        const request = requestFor(flags, flags.runId ?? 'latest');
        const runs = readerInteger('runs', flags.runs, [1, 1000]);
        const pull = await pullXComs(transport, flags.runId === undefined ? { ...request, run: { kind: 'latest', state: flags.state ?? null, count: runs } } : request);
        requireRun(context, pull);
        const path = flags.path === undefined ? [] : parseValuePath(flags.path);
        const table = buildTrajectory({ runs: pull.runs, xcoms: pull.xcoms, pivot, select: (value) => partOf(value, path) });
        printTable(context, table, flags);
        if (table.leftOut > 0) context.err(`${table.leftOut} or more columns are left out: name a part with --path, or fewer with --task-id and --key\n`);
        for (const hint of pull.hints) context.err(`  → ${printable(hint)}\n`);
        if (pull.truncated) context.err(`${TRUNCATED}\n`);
      });
    });
}

function printTable(context: ReaderContext, table: Trajectory, flags: TableFlags): void {
  const head = [table.pivot === 'run' ? 'run_id' : 'map_index', ...table.columns];
  const rows = table.rows.map((row) => [row.label, ...row.cells]);
  if (flags.json === true) return context.out(`${renderExactJson({ pivot: table.pivot, columns: table.columns, rows: table.rows }, 2)}\n`);
  if (flags.csv === true) return context.out(renderCsv([head, ...rows]));
  if (flags.plot !== true) return context.out(renderTable(head.map((name) => printable(name.toUpperCase())), rows.map((row) => row.map((cell) => (typeof cell === 'string' ? printable(cell) : cell)))));
  const plots = table.columns.map((_, column) => renderPlot(table, column, 100)).filter((plot) => plot !== null);
  if (plots.length === 0) throw new AppError('reader_usage', 'there are no two numbers to draw', { hint: 'Name the number with --path, e.g. --path .auc; without --plot the values are listed.' });
  context.out(plots.map((plot) => plot.split('\n').map(printable).join('\n')).join('\n'));
}
