// `leoflow auth`: a token for this machine from a server, and accounts in the database.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import { parseRole, ROLES } from '#contract/roles.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { hashPassword } from '#store/password-hashes.ts';
import { saveUser } from '#store/users.ts';
import { openClient, reach, refusalOf } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderJson } from './output.ts';
import { withOwnDatabase } from './own-database.ts';
import { groupCommand, remoteCommand, type RemoteOptions } from './remote-command.ts';

/** `auth`. */
export function authCommand(context: CliContext): Command {
  return groupCommand('auth', 'Tokens and accounts.', [tokenCommand(context), userCommand(context)]);
}

interface PasswordOptions { passwordFile?: string }

function tokenCommand(context: CliContext): Command {
  return remoteCommand('create-token', 'Get a token for a name and its password; later commands use it.', 'leoflow auth create-token ann --password-file secret.txt').argument('<user>')
    .option('--password-file <file>', 'file with the password (default: standard input)').option('--print', 'print it and keep it nowhere')
    .action(async (username: string, options: RemoteOptions & PasswordOptions & { print?: boolean }) => {
      const client = openClient(context, options);
      const body = JSON.stringify({ username, password: readPassword(options) });
      const response = await reach(context, `${client.url}/auth/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (!response.ok) throw await refusalOf(response, true);
      const { access_token: token } = (await response.json()) as { access_token: string };
      if (options.json === true) return context.out(renderJson({ access_token: token }));
      if (options.print === true) return context.out(`${token}\n`);
      const file = join(context.homeOf(context.readConfig()), 'token');
      writeFileAtomic(file, `${token}\n`);
      context.out(`the token of ${username} is kept in ${file}\n`);
    });
}

function userCommand(context: CliContext): Command {
  return new Command('create-user').description('Make an account in the database, or change its password and role.').argument('<user>').requiredOption('--role <role>', ROLES.join(', '))
    .option('--password-file <file>', 'file with the password (default: standard input)').option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  leoflow auth create-user ann --role op --password-file secret.txt\n')
    .action(async (username: string, options: PasswordOptions & { role: string; json?: boolean }) => {
      const role = parseRole(options.role);
      if (role === null) throw new AppError('usage', `--role ${options.role}: expected one of ${ROLES.join(', ')}`);
      const password = readPassword(options);
      if (password.length < 8) throw new AppError('invalid_value', 'the password is shorter than 8 characters', { hint: 'Choose a longer one.' });
      const saved = await withOwnDatabase(context, async (database) => saveUser(database, { username, role, passwordHash: await hashPassword(password) }));
      context.out(options.json === true ? renderJson({ username, role, ...saved }) : `${username} ${saved.kind === 'created' ? 'can log in now' : 'was changed'} (${role})\n`);
    });
}

/** The first line of the file, or of standard input. A password is never an argument: others can list those. */
function readPassword(options: PasswordOptions): string {
  // Descriptor 0 and not /dev/stdin: that cannot be opened when it is a socket.
  const source = options.passwordFile ?? 0;
  try {
    const password = readFileSync(source, 'utf8').split('\n')[0]?.replace(/\r$/, '') ?? '';
    if (password !== '') return password;
  } catch (cause) {
    throw new AppError('file_unreadable', `the password cannot be read from ${source === 0 ? 'standard input' : source}`, { cause });
  }
  throw new AppError('usage', 'the password is empty', { hint: 'Pass --password-file FILE, or write it to standard input.' });
}
