// `leoflow variables`: list, get, set, delete and import on a server; export and --show-secrets on this machine's database.
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { VariableResponse } from '#contract/airflow/variable.ts';
import { AppError } from '#contract/errors.ts';
import { findVariable, listVariables, type Vault } from '#store/variables.ts';
import { listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderJson, renderTable } from './output.ts';
import { withOwnVault } from './own-vault.ts';
import { clientOf, groupCommand, remoteCommand, type RemoteOptions } from './remote-command.ts';
import { formatOf, readVariables, renderVariablesFile, type FileVariable } from './secret-files.ts';
import { formatOption, importAll, type ImportOptions, INPUT_HELP, OWN_DATABASE_HELP, readSecretFile, valueOf, withImportOptions } from './secret-input.ts';

/** `variables`. */
export function variablesCommand(context: CliContext): Command {
  const commands = [listCommand(context), getCommand(context), setCommand(context), deleteCommand(context), importCommand(context), exportCommand(context)];
  return groupCommand('variables', 'Variables: values that DAGs share, encrypted at rest.', commands);
}

const pathOf = (key: string): string => `/variables/${key.split('/').map(segment).join('/')}`;

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List variables; values of sensitive names are masked.', 'leoflow variables list').action(async (options: RemoteOptions) => {
    const rows = await listAll<VariableResponse>(clientOf(context, options), '/variables', { key: 'variables', query: { order_by: 'key' } });
    context.out(options.json === true ? renderJson(rows) : renderTable(['KEY', 'VALUE', 'DESCRIPTION'], rows.map((row) => [row.key, row.value, row.description])));
  });
}

interface GetOptions extends RemoteOptions { readonly showSecrets?: boolean }

function getCommand(context: CliContext): Command {
  return remoteCommand('get', 'Print the value of a variable; masked when its name is sensitive.', 'leoflow variables get region').argument('<key>')
    .option('--show-secrets', 'print it unmasked, from this machine’s database').addHelpText('after', OWN_DATABASE_HELP).action(async (key: string, options: GetOptions) => {
      const found = options.showSecrets === true ? await withOwnVault(context, (vault) => findVariable(vault, key)) : await clientOf(context, options).json<VariableResponse>('GET', pathOf(key));
      if (found === null) throw new AppError('not_found', `there is no variable ${key} in this machine’s database`);
      context.out(options.json === true ? renderJson(found) : `${found.value ?? ''}\n`);
    });
}

interface SetOptions extends RemoteOptions { readonly description?: string }

function setCommand(context: CliContext): Command {
  return remoteCommand('set', 'Make a variable or change its value.', 'leoflow variables set region eu-west-1\n  leoflow variables set api_key < key.txt').argument('<key>').argument('[value]', 'the value; standard input when absent or -')
    .option('--description <text>', 'what it is for').addHelpText('after', INPUT_HELP).action(async (key: string, value: string | undefined, options: SetOptions) => {
      const client = clientOf(context, options);
      const body = { key, value: valueOf(value), ...(options.description === undefined ? {} : { description: options.description }) };
      const stored = await client.json<VariableResponse>('PATCH', pathOf(key), { body }).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'not_found') return client.json<VariableResponse>('POST', '/variables', { body });
        throw error;
      });
      context.out(options.json === true ? renderJson(stored) : `${key} is set\n`);
    });
}

function deleteCommand(context: CliContext): Command {
  return remoteCommand('delete', 'Delete a variable.', 'leoflow variables delete region').argument('<key>').action(async (key: string, options: RemoteOptions) => {
    await clientOf(context, options).json('DELETE', pathOf(key));
    context.out(options.json === true ? renderJson({ deleted: key }) : `${key} is deleted\n`);
  });
}

function importCommand(context: CliContext): Command {
  return withImportOptions(remoteCommand('import', 'Read variables from a file, such as Airflow’s own export.', 'leoflow variables import variables.json --skip-existing')).action(async (file: string, options: ImportOptions & RemoteOptions) => {
    const variables = readVariables(readSecretFile(file), formatOf(file, options.format), file);
    const written = await importAll(clientOf(context, options), '/variables', { entities: variables, options });
    context.out(options.json === true ? renderJson({ imported: written }) : `${written.length} of ${variables.length} variables are set\n`);
  });
}

function exportCommand(context: CliContext): Command {
  return new Command('export').description('Write every variable with its value into a file that Airflow reads, too.').argument('[file]', 'the file; standard output when absent').addOption(formatOption())
    .addHelpText('after', `${OWN_DATABASE_HELP}\nExample:\n  leoflow variables export variables.json\n`).action(async (file: string | undefined, options: { format?: string }) => {
      const format = file === undefined ? formatOf('standard output', options.format ?? 'json') : formatOf(file, options.format);
      const text = renderVariablesFile(await withOwnVault(context, listEach), format);
      if (file === undefined) return context.out(text);
      writeFileSync(file, text, { mode: 0o600 });
      context.err(`${file} holds secrets in plain text\n`);
    });
}

async function listEach(vault: Vault): Promise<FileVariable[]> {
  const found: FileVariable[] = [];
  for (let total = 1; found.length < total;) {
    const page = await listVariables(vault, null, { limit: 100, offset: found.length, orderBy: ['key'] });
    total = page.total;
    const [unreadable] = page.unreadable;
    if (unreadable !== undefined) throw unreadable;
    if (page.rows.length === 0) break;
    found.push(...page.rows.map((row) => ({ ...row, value: row.value ?? '' })));
  }
  return found;
}
