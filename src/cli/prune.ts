// `leoflow prune`: deletes old runs with their values, history and logs.
import { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import { wallMs } from '#platform/clock.ts';
import { countPrunableRuns, prune } from '#store/prune.ts';
import { withOwnDatabase } from './own-database.ts';
import type { LocalContext } from './local-context.ts';

interface PruneOptions { readonly olderThan: string; readonly keep: string; readonly dag?: string; readonly dryRun?: boolean; readonly json?: boolean }

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** The command. Works on the database itself, beside running servers. */
export function pruneCommand(context: LocalContext): Command {
  return new Command('prune').description('Delete runs that ended long ago, with their values, history and logs; versions that nothing names any more and audit entries of that age go too.').requiredOption('--older-than <age>', 'such as 36h, 90d or 12w')
    .option('--keep <n>', 'newest runs of each DAG that stay however old they are', '1').option('--dag <id>', 'only runs of this DAG').option('--dry-run', 'say what would go').option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  leoflow prune --older-than 90d --keep 10 --dry-run\n\nLEOFLOW_RETENTION_DAYS makes the server do this by itself.\n')
    .action(async (options: PruneOptions) => {
      const retention = { endedBefore: wallMs() - parseAge(options.olderThan), keepRuns: parseKeep(options.keep), dagId: options.dag ?? null };
      await withOwnDatabase(context, async (database) => {
        if (options.dryRun === true) {
          const runs = await countPrunableRuns(database, retention);
          return context.out(options.json === true ? `${JSON.stringify({ runs, dry_run: true })}\n` : `${runs} runs would be deleted\n`);
        }
        const home = context.homeOf(context.readConfig());
        const pruned = await prune(database, retention, (executions) => context.deleteLogs(home, executions));
        context.out(options.json === true ? `${JSON.stringify({ runs: pruned.runs, executions: pruned.executions, versions: pruned.versions, audit_entries: pruned.auditEntries })}\n`
          : `deleted ${pruned.runs} runs with ${pruned.executions} executions, ${pruned.versions} versions and ${pruned.auditEntries} audit entries\n`);
      });
    });
}

/** @returns milliseconds */
function parseAge(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (count === undefined) throw new AppError('usage', `--older-than ${text}: expected a number and h, d or w, such as 90d`);
  return Number(count) * (UNIT_MS[unit] ?? 0);
}

function parseKeep(text: string): number {
  const keep = Number(text);
  if (!Number.isInteger(keep) || keep < 1 || keep > 1_000_000) throw new AppError('usage', `--keep ${text}: expected a whole number from 1`, { hint: 'The last run of a DAG always stays: its schedule goes on from there.' });
  return keep;
}
