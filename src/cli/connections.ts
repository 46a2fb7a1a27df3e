// `leoflow connections`: list, get, set, delete and import on a server; export and --show-secrets on this machine's database.
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { ConnectionResponse } from '#contract/airflow/connection.ts';
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { parseConnection } from '#core/connection-text.ts';
import { type Connection, findConnection, listConnections } from '#store/connections.ts';
import type { Vault } from '#store/variables.ts';
import { listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderFields, renderJson, renderTable } from './output.ts';
import { withOwnVault } from './own-vault.ts';
import { clientOf, groupCommand, integerOption, remoteCommand, type RemoteOptions } from './remote-command.ts';
import { formatOf, readConnections, renderConnectionsFile } from './secret-files.ts';
import { formatOption, importAll, type ImportOptions, INPUT_HELP, OWN_DATABASE_HELP, readInput, readSecretFile, valueOf, withImportOptions } from './secret-input.ts';

/** `connections`. */
export function connectionsCommand(context: CliContext): Command {
  const commands = [listCommand(context), getCommand(context), setCommand(context), deleteCommand(context), importCommand(context), exportCommand(context)];
  return groupCommand('connections', 'Connections: how tasks reach other systems, passwords and extras encrypted at rest.', commands);
}

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List connections; secrets are masked.', 'leoflow connections list').action(async (options: RemoteOptions) => {
    const rows = await listAll<ConnectionResponse>(clientOf(context, options), '/connections', { key: 'connections', query: { order_by: 'conn_id' } });
    if (options.json === true) return context.out(renderJson(rows));
    context.out(renderTable(['ID', 'TYPE', 'HOST', 'PORT', 'LOGIN', 'SCHEMA', 'DESCRIPTION'], rows.map((row) => [row.connection_id, row.conn_type, row.host, row.port, row.login, row.schema, row.description])));
  });
}

interface GetOptions extends RemoteOptions { readonly showSecrets?: boolean }

function getCommand(context: CliContext): Command {
  return remoteCommand('get', 'Show a connection; its secrets are masked.', 'leoflow connections get warehouse').argument('<id>').option('--show-secrets', 'show them, from this machine’s database')
    .addHelpText('after', OWN_DATABASE_HELP).action(async (id: string, options: GetOptions) => {
      const found = options.showSecrets === true ? await withOwnVault(context, (vault) => findConnection(vault, id)) : await clientOf(context, options).json<ConnectionResponse>('GET', `/connections/${segment(id)}`);
      if (found === null) throw new AppError('not_found', `there is no connection ${id} in this machine’s database`);
      const { conn_type: type, description, host, port, login, password, schema, extra } = found;
      if (options.json === true) return context.out(renderJson(found));
      context.out(renderFields([['id', id], ['type', type], ['description', description], ['host', host], ['port', port], ['login', login], ['password', password], ['schema', schema], ['extra', extra]]));
    });
}

interface SetOptions extends RemoteOptions {
  readonly type?: string; readonly description?: string; readonly host?: string; readonly login?: string; readonly schema?: string; readonly port?: number; readonly passwordStdin?: boolean;
}

const EXAMPLES = 'leoflow connections set warehouse < uri.txt\n  leoflow connections set warehouse --type postgres --host db --login etl --password-stdin < password.txt';

function setCommand(context: CliContext): Command {
  return remoteCommand('set', 'Make a connection or replace it, from a URI, a JSON object, or its parts.', EXAMPLES).argument('<id>').argument('[value]', 'URI or JSON; standard input when absent or - (without --type)')
    .option('--type <type>', 'type, such as postgres or http: the connection is made of its parts').option('--host <host>', 'host').option('--login <login>', 'login').option('--schema <schema>', 'schema, or the database')
    .option('--port <port>', 'port', integerOption('port')).option('--password-stdin', 'the password is read from standard input').option('--description <text>', 'what it is for')
    .addHelpText('after', INPUT_HELP).action(async (id: string, value: string | undefined, options: SetOptions) => {
      await importAll(clientOf(context, options), '/connections', { entities: [bodyOf(readGiven(id, value, options))], options: { overwrite: true } });
      context.out(options.json === true ? renderJson({ set: id }) : `${id} is set\n`);
    });
}

function readGiven(id: string, value: string | undefined, options: SetOptions): ConnectionValue {
  const { type, description = null, host = null, login = null, schema = null, port = null } = options;
  if (type !== undefined) {
    if (value !== undefined) throw new AppError('usage', 'either a URI or JSON, or --type and the other parts');
    return { conn_id: id, conn_type: type, description, host, login, schema, port, password: options.passwordStdin === true ? readInput() : null, extra: null };
  }
  const read = parseConnection(id, valueOf(value));
  if (read.kind === 'refused') throw new AppError('invalid_value', `the connection ${id}: ${read.reason}`);
  if ((read.connection.conn_type ?? '') === '') throw new AppError('invalid_value', `the connection ${id} has no type`, { hint: 'A URI begins with it: postgres://…; a JSON object has conn_type.' });
  return { ...read.connection, description: description ?? read.connection.description };
}

/** A connection as the API takes it. */
function bodyOf({ conn_id: id, ...fields }: ConnectionValue): Record<string, unknown> {
  return { connection_id: id, ...fields };
}

function deleteCommand(context: CliContext): Command {
  return remoteCommand('delete', 'Delete a connection.', 'leoflow connections delete warehouse').argument('<id>').action(async (id: string, options: RemoteOptions) => {
    await clientOf(context, options).json('DELETE', `/connections/${segment(id)}`);
    context.out(options.json === true ? renderJson({ deleted: id }) : `${id} is deleted\n`);
  });
}

function importCommand(context: CliContext): Command {
  return withImportOptions(remoteCommand('import', 'Read connections from a file, such as Airflow’s own export.', 'leoflow connections import connections.yaml')).action(async (file: string, options: ImportOptions & RemoteOptions) => {
    const connections = readConnections(readSecretFile(file), formatOf(file, options.format), file);
    const written = await importAll(clientOf(context, options), '/connections', { entities: connections.map(bodyOf), options });
    context.out(options.json === true ? renderJson({ imported: written }) : `${written.length} of ${connections.length} connections are set\n`);
  });
}

function exportCommand(context: CliContext): Command {
  return new Command('export').description('Write every connection with its secrets into a file that Airflow reads, too.').argument('[file]', 'the file; standard output when absent').addOption(formatOption())
    .addHelpText('after', `${OWN_DATABASE_HELP}\nExample:\n  leoflow connections export connections.json\n`).action(async (file: string | undefined, options: { format?: string }) => {
      const format = file === undefined ? formatOf('standard output', options.format ?? 'json') : formatOf(file, options.format);
      const text = renderConnectionsFile(await withOwnVault(context, listEach), format);
      if (file === undefined) return context.out(text);
      writeFileSync(file, text, { mode: 0o600 });
      context.err(`${file} holds secrets in plain text\n`);
    });
}

async function listEach(vault: Vault): Promise<Connection[]> {
  const found: Connection[] = [];
  for (let total = 1; found.length < total;) {
    const page = await listConnections(vault, null, { limit: 100, offset: found.length, orderBy: ['conn_id'] });
    total = page.total;
    const [unreadable] = page.unreadable;
    if (unreadable !== undefined) throw unreadable;
    if (page.rows.length === 0) break;
    found.push(...page.rows);
  }
  return found;
}
