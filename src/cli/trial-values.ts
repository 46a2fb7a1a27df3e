// What a trial is given instead of other tasks and servers: params, XComs, variables and connections, from options and a file.
import { existsSync, readFileSync } from 'node:fs';
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { connectionOf, parseConnection } from '#core/connection-text.ts';
import { findSecretVariable } from '#platform/config.ts';
import { readYaml } from '#compile/yaml-places.ts';
import { parseConf, readDate } from './run.ts';

/** Options as commander gives them; repeatable ones are lists. */
export interface GivenOptions {
  readonly params?: string;
  readonly conf?: string;
  readonly date?: string;
  readonly xcom?: readonly string[];
  readonly var?: readonly string[];
  readonly conn?: readonly string[];
  readonly with?: string;
}

/** Everything given. XComs are JSON text by `task_id/key`. */
export interface Given {
  readonly conf: Readonly<Record<string, unknown>>;
  readonly logicalDate: number | null;
  readonly xcoms: ReadonlyMap<string, string>;
  readonly findVariable: (key: string) => string | null;
  readonly findConnection: (connId: string) => ConnectionValue | null;
}

const FILE_KEYS = ['params', 'date', 'xcoms', 'variables', 'connections'];
const MAX_BYTES = 16 * 1024 * 1024;

/** Reads the options, and the file of `--with` below them. Throws `usage`, `invalid_json` or `invalid_value` naming the option. */
export function readGiven(options: GivenOptions): Given {
  const file = options.with === undefined ? {} : readFile(options.with);
  const xcoms = new Map(Object.entries(mapping(file['xcoms'], 'xcoms')).map(([name, value]) => [xcomName(name), JSON.stringify(value)]));
  for (const text of options.xcom ?? []) {
    const [name, value] = split(text, '--xcom');
    xcoms.set(xcomName(name), JSON.stringify(jsonOrText(value)));
  }
  const variables = new Map(Object.entries(mapping(file['variables'], 'variables')).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));
  for (const text of options.var ?? []) variables.set(...split(text, '--var'));
  const connections = new Map(Object.entries(mapping(file['connections'], 'connections')).map(([id, value]) => [id, connection(id, value)]));
  for (const text of options.conn ?? []) {
    const [id, value] = split(text, '--conn');
    connections.set(id, connection(id, value));
  }
  const date = options.date ?? (typeof file['date'] === 'string' ? file['date'] : undefined);
  return {
    conf: { ...mapping(file['params'], 'params'), ...parseConf(options.params ?? options.conf) }, logicalDate: readDate(date), xcoms,
    findVariable: (key) => variables.get(key) ?? findSecretVariable('VAR', key),
    findConnection: (id) => connections.get(id) ?? fromEnvironment(id),
  };
}

/** JSON or YAML. */
function readFile(path: string): Readonly<Record<string, unknown>> {
  if (!existsSync(path)) throw new AppError('file_unreadable', `--with ${path} does not exist`);
  const text = readFileSync(path, 'utf8');
  if (text.length > MAX_BYTES) throw new AppError('too_large', `${path} is larger than ${MAX_BYTES} bytes`);
  const { documents, problems } = readYaml(text);
  if (problems.length > 0) throw new AppError('invalid_value', problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`).join('\n'));
  const values = mapping(documents[0]?.value ?? {}, path);
  const unknown = Object.keys(values).filter((key) => !FILE_KEYS.includes(key));
  if (unknown.length > 0) throw new AppError('invalid_value', `${path}: unknown key ${unknown.join(', ')}`, { hint: `Known keys: ${FILE_KEYS.join(', ')}.` });
  return values;
}

function mapping(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new AppError('invalid_value', `${name} must be a mapping`);
  return value as Readonly<Record<string, unknown>>;
}

function split(text: string, option: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new AppError('usage', `${option} ${at < 0 ? text : ''} must be NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `task` means its return value; task ids may hold dots, so a key is named after a slash. */
function xcomName(name: string): string {
  return name.includes('/') ? name : `${name}/return_value`;
}

/** What begins as JSON must be JSON; anything else is a text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (/^\s*[[{"]/.test(text)) throw new AppError('invalid_json', `--xcom …=${text} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    return text;
  }
}

function connection(id: string, value: unknown): ConnectionValue {
  const read = typeof value === 'string' ? parseConnection(id, value) : connectionOf(id, mapping(value, `connections.${id}`));
  if (read.kind === 'refused') throw new AppError('invalid_value', `the connection ${id}: ${read.reason}`);
  return read.connection;
}

function fromEnvironment(id: string): ConnectionValue | null {
  const text = findSecretVariable('CONN', id);
  return text === null ? null : connection(id, text);
}
