// What the commands of variables and connections share: values that need not stand in a process list, and files.
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { BulkResponse } from '#contract/airflow/bulk.ts';
import { AppError } from '#contract/errors.ts';
import { errorText } from '#platform/report.ts';
import type { ApiClient } from './api-client.ts';
import { FILE_FORMATS } from './secret-files.ts';

/** For the help of every command that takes a secret. */
export const INPUT_HELP = '\nLeave the value out, or write -, to have it read from standard input: an argument can be seen in the list of processes.\n';
/** For the help of every command that shows one. */
export const OWN_DATABASE_HELP = '\nThe API shows no secret to anybody. This reads the database itself, with the key file of this machine: run it where the server runs.\n';
const CHUNK = 100;

/** The argument, or standard input without its last newline. */
export function valueOf(argument: string | undefined): string {
  return argument === undefined || argument === '-' ? readInput() : argument;
}

/** Standard input without its last newline. */
export function readInput(): string {
  return readFileSync(0, 'utf8').replace(/\r?\n$/, '');
}

/** The text of a file; `-` is standard input. Throws `file_unreadable`. */
export function readSecretFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new AppError('file_unreadable', `${file} cannot be read (${errorText(cause)})`, { cause });
  }
}

/** Flags of `import`. */
export interface ImportOptions { readonly format?: string; readonly overwrite?: boolean; readonly skipExisting?: boolean; readonly fail?: boolean }

/** Adds them. */
export function withImportOptions(command: Command): Command {
  return command.argument('<file>', 'the file; - is standard input (with --format)').addOption(formatOption()).option('--overwrite', 'replace what exists (default)').option('--skip-existing', 'leave what exists as it is')
    .option('--fail', 'change nothing of a part that exists');
}

/** `--format`. */
export function formatOption(): Option {
  return new Option('--format <format>', 'how the file is written (default: by its ending)').choices([...FILE_FORMATS]);
}

function modeOf(options: ImportOptions): 'overwrite' | 'skip' | 'fail' {
  const chosen = [options.overwrite, options.skipExisting, options.fail].filter((one) => one === true).length;
  if (chosen > 1) throw new AppError('usage', 'choose one of --overwrite, --skip-existing and --fail');
  return options.fail === true ? 'fail' : options.skipExisting === true ? 'skip' : 'overwrite';
}

/** Sends everything in parts. Throws `conflict` with what the server refused. @returns names that were written */
export async function importAll(client: ApiClient, path: string, what: { readonly entities: readonly unknown[]; readonly options: ImportOptions }): Promise<readonly string[]> {
  const mode = modeOf(what.options);
  const written: string[] = [];
  for (let at = 0; at < what.entities.length; at += CHUNK) {
    const actions = [{ action: 'create', entities: what.entities.slice(at, at + CHUNK), action_on_existence: mode }];
    const { create } = await client.json<BulkResponse>('PATCH', path, { body: { actions } });
    const refused = create?.errors?.map((one) => String(one['error'])) ?? [];
    if (refused.length > 0) throw new AppError('conflict', refused.join('\n'), { hint: 'Use --overwrite or --skip-existing.' });
    written.push(...(create?.success ?? []));
  }
  return written;
}
