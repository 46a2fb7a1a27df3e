// Writes the generated documents: errors, config, events, the map of files and the JSON Schemas of dag.json, dag.yaml and leoflow.yaml. `--check` only compares.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LIMITS, SETTINGS } from '#contract/config.ts';
import { Dag, plainSchema } from '#contract/dag.ts';
import { yamlSchema } from '#compile/yaml-schema.ts';
import { ERRORS } from '#contract/errors.ts';
import { EVENT_LEVELS, type EventName } from '#contract/events.ts';
import { ProjectFile } from '#contract/project.ts';
import { findCaption, listCaptioned } from './caption-of-file.ts';
import { readText, ROOT } from './project.ts';

const note = (source: string): string => `<!-- Generated from ${source} by \`make docs\`. Change the source, not this file. -->`;
const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

/** docs/errors.md */
export function renderErrors(): string {
  const rows = Object.entries(ERRORS).map(([name, kind]) => [code(name), String(kind.status), String(kind.exit), kind.retryable ? 'yes' : 'no', kind.hint]);
  return `# Errors

${note('src/contract/errors.ts')}

Every failure that a person or a client sees has a code of this table. The HTTP answer and the exit code of the command line derive from it; the
message says what and where, the hint what to do next. "Again" says whether the same request may succeed later.

${table(['code', 'HTTP', 'exit', 'again', 'what to do'], rows)}
`;
}

interface ShownSetting { readonly kind: string; readonly default: string | number | boolean | null; readonly help: string; readonly secret?: boolean; readonly min?: number; readonly max?: number; readonly choices?: readonly string[] }

/** docs/config.md */
export function renderConfig(): string {
  const rows = Object.entries(SETTINGS as Readonly<Record<string, ShownSetting>>).map(([name, setting]) =>
    [code(name), typeOf(setting), setting.default === null ? '–' : code(String(setting.default)), `${setting.help}${setting.secret === true ? ` Secret: ${name}_FILE may name a file instead.` : ''}`]);
  const limits = Object.entries(LIMITS).map(([name, value]) => [code(name), value.toLocaleString('en-US')]);
  return `# Settings

${note('src/contract/config.ts')}

Settings are environment variables; flags of a command win over them. An unknown \`LEOFLOW_*\` variable is an error with a suggestion, so a typing
mistake never goes unnoticed. \`LEOFLOW_TEST_*\`, \`LEOFLOW_TASK_*\`, \`LEOFLOW_EXECUTION_*\`, \`LEOFLOW_CTX_*\` and \`LEOFLOW_PARSE_*\` belong to others and are left alone.

${table(['variable', 'type', 'default', 'what it does'], rows)}

## Limits

These are not settings. Nothing is unbounded: each loop, batch, queue, body and child output has one of them.

${table(['limit', 'value'], limits)}
`;
}

function typeOf(setting: ShownSetting): string {
  if (setting.kind === 'choice') return (setting.choices ?? []).join(', ');
  if (setting.kind !== 'integer' && setting.kind !== 'number') return setting.kind;
  return `${setting.kind} ${String(setting.min ?? 0)}–${(setting.max ?? 0) >= 1e9 ? '' : String(setting.max)}`;
}

/** docs/events.md */
export function renderEvents(): string {
  const fields = readEventFields(readText('src/contract/events.ts'));
  const rows = Object.entries(EVENT_LEVELS).map(([name, level]) => [code(name), level, (fields.get(name as EventName) ?? []).map(code).join(', ')]);
  return `# Events

${note('src/contract/events.ts and src/platform/report.ts')}

One call reports a fact: it writes one JSON line to the server's log, moves the metrics, and tells listeners. Each line holds \`time\`, \`level\`, \`event\` and the
fields below; times and durations end in \`ms\`. Ids stand in the line and never in a metric's labels.

${table(['event', 'level', 'fields'], rows)}

## Metrics

Served at \`/metrics\` for Prometheus. The process metrics of Node come with the prefix \`leoflow_\` too.

${table(['metric', 'kind', 'labels', 'help'], readMetrics(readText('src/platform/report.ts')))}
`;
}

/** The fields of each event, from the text of the union. */
export function readEventFields(text: string): Map<string, string[]> {
  const shared = [.../interface InstanceIds \{([^}]*)\}/.exec(text)?.[1]?.matchAll(/readonly (\w+)/g) ?? []].map((match) => match[1] ?? '');
  const fields = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const name = /readonly event: '([^']+)'/.exec(line)?.[1];
    if (name === undefined) continue;
    const own = [...line.matchAll(/readonly (\w+):/g)].map((match) => match[1] ?? '').filter((field) => field !== 'event');
    fields.set(name, line.includes('InstanceIds') ? [...shared, ...own] : own);
  }
  return fields;
}

/** Name, kind, labels and help of each metric, from the text that makes them. */
export function readMetrics(text: string): string[][] {
  return [...text.matchAll(/new (Counter|Gauge|Histogram)\(\{ name: '([^']+)', help: '([^']+)'(?:, labelNames: \[([^\]]*)\])?/g)]
    .map((match) => [code(match[2] ?? ''), (match[1] ?? '').toLowerCase(), (match[4] ?? '').replaceAll("'", '').split(', ').filter((label) => label !== '').map(code).join(', ') || '–', match[3] ?? '']);
}

/** docs/map.md */
export function renderMap(): string {
  const folders = new Map<string, string[][]>();
  for (const path of listCaptioned()) {
    const folder = dirname(path);
    const rows = folders.get(folder) ?? [];
    rows.push([code(path.slice(folder.length + 1)), findCaption(path, readText(path)) ?? '']);
    folders.set(folder, rows);
  }
  const parts = [...folders].map(([folder, rows]) => `## ${folder}\n\n${table(['file', 'what it is for'], rows)}\n`);
  return `# Map\n\n${note('the first line of each file')}\n\n${parts.join('\n')}`;
}

/** docs/api/dag-schema.json: the schema that the server checks by. */
export function renderDagSchema(): string {
  return `${JSON.stringify(plainSchema(Dag), null, 2)}\n`;
}

/** docs/api/dag-yaml-1.0.json: what editors check and complete a dag.yaml by. On one line: it holds no references and is long. */
export function renderYamlSchema(): string {
  return `${JSON.stringify(yamlSchema())}\n`;
}

/** docs/api/leoflow-yaml-1.0.json: what editors check and complete a leoflow.yaml by. */
export function renderProjectSchema(): string {
  return `${JSON.stringify(plainSchema(ProjectFile), null, 2)}\n`;
}

/** Every generated document by its path from the root. */
export function renderAll(): Map<string, string> {
  return new Map([
    ['docs/errors.md', renderErrors()], ['docs/config.md', renderConfig()], ['docs/events.md', renderEvents()],
    ['docs/map.md', renderMap()], ['docs/api/dag-schema.json', renderDagSchema()], ['docs/api/dag-yaml-1.0.json', renderYamlSchema()], ['docs/api/leoflow-yaml-1.0.json', renderProjectSchema()],
  ]);
}

/** Generated documents that differ from what stands in the repository, with the first line that does. */
export function findStale(): string[] {
  return [...renderAll()].flatMap(([path, text]) => {
    if (!existsSync(join(ROOT, path))) return [`${path} is missing: run \`make docs\``];
    const there = readText(path).split('\n');
    const at = text.split('\n').findIndex((line, index) => line !== there[index]);
    return at < 0 && there.length === text.split('\n').length ? [] : [`${path}:${at < 0 ? there.length : at + 1} is not up to date: run \`make docs\``];
  });
}

function main(): void {
  if (process.argv.includes('--check')) {
    const stale = findStale();
    for (const problem of stale) console.error(problem);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const [path, text] of renderAll()) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    if (existsSync(join(ROOT, path)) && readText(path) === text) continue;
    writeFileSync(join(ROOT, path), text);
    console.error(`wrote ${path}`);
  }
}

if (import.meta.main) main();
