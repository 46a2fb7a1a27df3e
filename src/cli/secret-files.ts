// Files of variables and connections, as Airflow exports and imports them: JSON, YAML, and lines of NAME=VALUE.
import { extname } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { connectionOf, parseConnection, type ReadConnection, renderUri } from '#core/connection-text.ts';

/** Formats by the endings of files. */
export const FILE_FORMATS = ['json', 'yaml', 'env'] as const;
/** How a file is written. */
export type FileFormat = (typeof FILE_FORMATS)[number];

/** A variable as a file holds it. */
export interface FileVariable { readonly key: string; readonly value: string; readonly description: string | null }

type Fields = Readonly<Record<string, unknown>>;

/** The format that was asked for, else the one of the file's ending. Throws `usage`. */
export function formatOf(file: string, asked: string | undefined): FileFormat {
  const ending = (asked ?? extname(file).slice(1)).toLowerCase();
  const format = FILE_FORMATS.find((one) => one === (ending === 'yml' ? 'yaml' : ending));
  if (format !== undefined) return format;
  throw new AppError('usage', `${file}: no format is known by the ending ${ending === '' ? '(none)' : `.${ending}`}`, { hint: `Use one of .${FILE_FORMATS.join(', .')}, or --format.` });
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names and what they stand for. Throws `invalid_value`, which shows nothing of the values. */
function readEntries(text: string, format: FileFormat, file: string): (readonly [string, unknown])[] {
  if (format === 'env') return readLines(text, file);
  let value: unknown;
  try {
    value = format === 'json' ? JSON.parse(text) : parse(text, { prettyErrors: false });
  } catch {
    // The parsers' own messages show what stands at the place.
    throw new AppError('invalid_value', `${file} is no ${format.toUpperCase()}`);
  }
  if (!isFields(value)) throw new AppError('invalid_value', `${file} holds no object of names and values`);
  return Object.entries(value);
}

function readLines(text: string, file: string): (readonly [string, string])[] {
  const entries = new Map<string, string>();
  const problems: string[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '' || /^\s*#/.test(line)) return;
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(at, 0)).trim();
    if (at < 0 || name === '' || at === line.length - 1) problems.push(`${file}:${index + 1}: expected NAME=VALUE`);
    else if (entries.has(name)) problems.push(`${file}:${index + 1}: ${name} stands here for the second time`);
    else entries.set(name, line.slice(at + 1));
  });
  if (problems.length > 0) throw new AppError('invalid_value', problems.join('\n'));
  return [...entries];
}

/** `{key: value}` and `{key: {value, description}}`; what is no text becomes its JSON. */
export function readVariables(text: string, format: FileFormat, file: string): FileVariable[] {
  return readEntries(text, format, file).map(([key, given]) => {
    const isDescribed = isFields(given) && 'value' in given;
    const value = isDescribed ? given['value'] : given;
    const description = isDescribed ? given['description'] : null;
    return { key, value: typeof value === 'string' ? value : JSON.stringify(value), description: typeof description === 'string' ? description : null };
  });
}

/** `{id: URI}`, `{id: {conn_type, …}}` and lines of ID=URI or ID=JSON. Throws `invalid_value` with every connection that cannot be read. */
export function readConnections(text: string, format: FileFormat, file: string): ConnectionValue[] {
  const problems: string[] = [];
  const connections = readEntries(text, format, file).flatMap(([id, given]) => {
    const read = readOne(id, given);
    if (read.kind === 'connection' && (read.connection.conn_type ?? '') !== '') return [read.connection];
    problems.push(`${file}: the connection ${id}: ${read.kind === 'refused' ? read.reason : 'it has no conn_type'}`);
    return [];
  });
  if (problems.length > 0) throw new AppError('invalid_value', problems.join('\n'));
  return connections;
}

function readOne(id: string, given: unknown): ReadConnection {
  // Airflow takes a list of one, too.
  const value: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (typeof value === 'string') return parseConnection(id, value);
  if (!isFields(value)) return { kind: 'refused', reason: 'it is neither a URI nor an object' };
  const { extra_dejson: extra, ...fields } = value;
  return connectionOf(id, extra === undefined ? fields : { ...fields, extra });
}

/** Airflow's export: values that are JSON as such, with their description where there is one. */
export function renderVariablesFile(variables: readonly FileVariable[], format: FileFormat): string {
  if (format === 'env') return variables.map(({ key, value }) => `${key}=${onOneLine(key, value)}\n`).join('');
  return render(Object.fromEntries(variables.map(({ key, value, description }) => [key, description === null ? plain(value) : { value: plain(value), description }])), format);
}

/** JSON as a value where reading it gives the same text again. */
function plain(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' || JSON.stringify(value) !== text ? text : value;
  } catch {
    return text;
  }
}

function onOneLine(name: string, text: string): string {
  if (/[\r\n]/.test(text) || text === '') throw new AppError('unsupported', `${name} is empty or has several lines, which a file of NAME=VALUE cannot hold`, { hint: 'Export as JSON or YAML.' });
  return text;
}

/** Airflow's export. In lines a connection is a URI where that gives the same connection again, else JSON. */
export function renderConnectionsFile(connections: readonly ConnectionValue[], format: FileFormat): string {
  if (format === 'env') return connections.map((connection) => `${connection.conn_id}=${renderLine(connection)}\n`).join('');
  return render(Object.fromEntries(connections.map(({ conn_id: id, ...fields }) => [id, fields])), format);
}

function renderLine(connection: ConnectionValue): string {
  const { conn_id: id, ...fields } = connection;
  const uri = renderUri(connection);
  const again = parseConnection(id, uri);
  const text = ({ conn_type: type, description, host, login, password, schema, port, extra }: ConnectionValue): string =>
    JSON.stringify([type, description, host ?? '', login, password, schema ?? '', port, extra === null ? null : (JSON.parse(extra) as unknown)]);
  return again.kind === 'connection' && text(again.connection) === text(connection) ? uri : JSON.stringify(fields);
}

function render(value: Fields, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(value, null, 4)}\n` : stringify(value);
}
