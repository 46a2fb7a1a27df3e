// Connections as text, in Airflow's two forms: a URI or a JSON object (`airflow.models.Connection`, 3.2.1).
import type { ConnectionValue } from '#contract/attempt.ts';
import { cutAt, parseQuery, quote, renderQuery, splitUrl, unquote, type UrlParts } from './python-url.ts';
import { pythonJson } from './sensitive.ts';

const EXTRA_KEY = '__extra__';
const MAX_PORT = 65_535;

/** The connection, or what is wrong with the text: a sentence that names the part and shows nothing of it. */
export type ReadConnection = { readonly kind: 'connection'; readonly connection: ConnectionValue } | { readonly kind: 'refused'; readonly reason: string };

const refused = (reason: string): ReadConnection => ({ kind: 'refused', reason });

/** Reads either form. */
export function parseConnection(connId: string, text: string): ReadConnection {
  const trimmed = text.trim();
  return trimmed.startsWith('{') ? parseJson(connId, trimmed) : parseUri(connId, trimmed);
}

const normalType = (type: string): string => (type === 'postgresql' ? 'postgres' : type.replaceAll('-', '_'));

/** Airflow's `Connection._parse_from_uri`. */
export function parseUri(connId: string, uri: string): ReadConnection {
  const marks = uri.split('://').length - 1;
  if (marks > 2) return refused('it has more than two "://": percent-encode those in its parts');
  const scheme = splitUrl(uri)?.scheme;
  if (scheme === undefined) return refused('its host is no proper one: an IPv6 address stands in [ ]');
  // Two schemes: the type of the connection, and the protocol that belongs to its host.
  const isDoubled = marks === 2;
  const rest = uri.replaceAll(`${scheme}://`, isDoubled ? '' : '//');
  if (isDoubled && /[@:]/.test(cutAt(rest, '://')[0])) return refused('login, password and port stand after the second "://"');
  const parts = splitUrl(rest);
  if (parts === null) return refused('its host is no proper one: an IPv6 address stands in [ ], and what is no part of a host is percent-encoded');
  return connectionOfParts({ connId, type: normalType(scheme), protocol: isDoubled ? parts.scheme : '' }, parts);
}

function connectionOfParts({ connId, type, protocol }: { readonly connId: string; readonly type: string; readonly protocol: string }, parts: UrlParts): ReadConnection {
  const port = portOf(parts.port);
  if (port === undefined || /[^0-9]/.test(parts.port ?? '')) return refused(`its port is no number from 0 to ${MAX_PORT}; percent-encode @, : and / in login and password`);
  const extra = extraOf(parts.query);
  if (extra !== null && fieldsOf(extra) === null) return refused('its extra is no JSON object');
  const host = hostOf(parts);
  const decoded = (part: string | null): string | null => (part === null ? null : unquote(part));
  return { kind: 'connection', connection: {
    conn_id: connId, conn_type: type, description: null, host: host !== '' && protocol !== '' ? `${protocol}://${host}` : host, login: decoded(parts.username),
    password: decoded(parts.password) === '' ? null : decoded(parts.password), schema: unquote(parts.path.slice(1)), port, extra,
  } };
}

/** A host whose decoded form is a path keeps its case: a socket's folder. */
function hostOf({ hostname, netloc }: UrlParts): string {
  const host = unquote(hostname ?? '');
  return host.includes('/') ? unquote(cutAt(netloc.slice(netloc.lastIndexOf('@') + 1), ':')[0]) : host;
}

/** The query as JSON text: `__extra__` as it stands, else each value as the JSON it holds or as a text. */
function extraOf(query: string): string | null {
  if (query === '') return null;
  const fields = parseQuery(query);
  const whole = fields.get(EXTRA_KEY);
  if (whole !== undefined) return whole === '' ? null : whole;
  return `{${[...fields].map(([name, value]) => `${pythonJson(name)}: ${isJson(value) ? value.trim() : pythonJson(value)}`).join(', ')}}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The object that a text holds; null when it holds none. */
export function fieldsOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const TEXTS = ['conn_type', 'description', 'host', 'login', 'password', 'schema'] as const;
const KNOWN: readonly string[] = [...TEXTS, 'port', 'extra', 'conn_id', 'team_name', 'is_encrypted', 'is_extra_encrypted', 'id'];

/** A JSON object with the fields of a connection; `extra` may be an object or its text. */
function parseJson(connId: string, text: string): ReadConnection {
  const fields = fieldsOf(text);
  return fields === null ? refused('it is no JSON object') : connectionOf(connId, fields);
}

/** A connection of its fields, as JSON and YAML files hold them. */
export function connectionOf(connId: string, fields: Readonly<Record<string, unknown>>): ReadConnection {
  const unknown = Object.keys(fields).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) return refused(`${unknown} is no field of a connection; what else it needs stands in extra`);
  const wrong = TEXTS.find((name) => fields[name] !== undefined && fields[name] !== null && typeof fields[name] !== 'string');
  if (wrong !== undefined) return refused(`${wrong} is no text`);
  const port = portOf(fields['port']);
  if (port === undefined) return refused(`its port is no number from 0 to ${MAX_PORT}`);
  const extra = typeof fields['extra'] === 'object' && fields['extra'] !== null ? pythonJson(fields['extra']) : (fields['extra'] ?? null);
  if (extra !== null && extra !== '' && (typeof extra !== 'string' || fieldsOf(extra) === null)) return refused('its extra is no JSON object');
  const textOf = (name: (typeof TEXTS)[number]): string | null => (fields[name] as string | null | undefined) ?? null;
  const type = textOf('conn_type');
  return { kind: 'connection', connection: {
    conn_id: connId, conn_type: type === null ? null : normalType(type), description: textOf('description'), host: textOf('host'), login: textOf('login'),
    password: textOf('password') === '' ? null : textOf('password'), schema: textOf('schema'), port, extra: extra === '' ? null : (extra as string | null),
  } };
}

/** Null when there is none; undefined when it is no port. */
function portOf(value: unknown): number | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && !/^\s*\d+\s*$/.test(value)) return undefined;
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port <= MAX_PORT ? port : undefined;
}

/** Airflow's `Connection.get_uri`. */
export function renderUri(connection: ConnectionValue): string {
  const { conn_type: type, login, password } = connection;
  const [protocol, address] = cutAt(connection.host ?? '', '://');
  const isDoubled = address !== null && protocol !== type;
  const scheme = `${orEmpty(type).toLowerCase().replaceAll('_', '-')}://`.replace(/^:/, '');
  const user = `${quote(orEmpty(login))}${password === null ? '' : `:${quote(password)}`}`;
  const place = renderPlace(isDoubled ? address : orEmpty(connection.host), { connection, hasUser: user !== '' });
  return `${scheme}${isDoubled ? `${protocol}://` : ''}${user}${user === '' ? '' : '@'}${place}${renderExtra(connection.extra, connection.schema)}`;
}

const orEmpty = (text: string | null): string => text ?? '';

function renderPlace(host: string, { connection: { port, schema }, hasUser }: { readonly connection: ConnectionValue; readonly hasUser: boolean }): string {
  const hasPort = port !== null && port !== 0;
  return `${hasPort && host === '' && !hasUser ? '@' : ''}${quote(host)}${hasPort ? `:${port}` : ''}${orEmpty(schema) === '' ? '' : `/${quote(orEmpty(schema))}`}`;
}

function renderExtra(extra: string | null, schema: string | null): string {
  if (extra === null || extra === '') return '';
  const fields = Object.entries(fieldsOf(extra) ?? {});
  const isFlat = fields.length > 0 && fields.every(([, value]) => typeof value === 'string');
  return `${schema === null || schema === '' ? '/?' : '?'}${renderQuery(isFlat ? (Object.fromEntries(fields) as Record<string, string>) : { [EXTRA_KEY]: extra })}`;
}
