// `leoflow version` and `leoflow migrate`.
import { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import { migrate } from '#store/migrate.ts';
import type { LocalContext } from './local-context.ts';

/** `version`. */
export function versionCommand(context: LocalContext): Command {
  return new Command('version').description('Print the version.').option('--json', 'as JSON').action((options: { json?: boolean }) => {
    context.out(options.json === true ? `${JSON.stringify({ version: context.version, node: process.versions.node })}\n` : `leoflow ${context.version} (Node ${process.versions.node})\n`);
  });
}

/** `migrate`: brings an external database to this version's schema. */
export function migrateCommand(context: LocalContext): Command {
  return new Command('migrate').description('Bring the database of LEOFLOW_DATABASE_URL to this version’s schema.').option('--database-url <url>', 'instead of LEOFLOW_DATABASE_URL')
    .addHelpText('after', '\nExample:\n  LEOFLOW_DATABASE_URL=postgresql://user@host/leoflow leoflow migrate\n')
    .action(async (options: { databaseUrl?: string }) => {
      const url = options.databaseUrl ?? context.readConfig().LEOFLOW_DATABASE_URL;
      if (url === null) throw new AppError('usage', 'there is no database to migrate', { hint: 'Set LEOFLOW_DATABASE_URL; the embedded database migrates itself when lite starts.' });
      const applied = await migrate(url);
      context.out(applied.length === 0 ? 'the schema is up to date\n' : `applied ${applied.join(', ')}\n`);
    });
}
