// `leoflow pools`: list, set, delete.
import type { Command } from 'commander';
import type { PoolResponse } from '#contract/airflow/pool.ts';
import { AppError } from '#contract/errors.ts';
import { type ApiClient, listAll, segment } from './api-client.ts';
import type { CliContext } from './context.ts';
import { renderJson, renderTable } from './output.ts';
import { clientOf, groupCommand, integerOption, remoteCommand, type RemoteOptions } from './remote-command.ts';

/** `pools`. */
export function poolsCommand(context: CliContext): Command {
  return groupCommand('pools', 'Pools, which limit how much runs at once.', [listCommand(context), setCommand(context), deleteCommand(context)]);
}

function listCommand(context: CliContext): Command {
  return remoteCommand('list', 'List pools and the use of their slots.', 'leoflow pools list').action(async (options: RemoteOptions) => {
    const pools = await listAll<PoolResponse>(clientOf(context, options), '/pools', { key: 'pools' });
    if (options.json === true) return context.out(renderJson(pools));
    context.out(renderTable(['POOL', 'SLOTS', 'OPEN', 'RUNNING', 'QUEUED', 'SCHEDULED', 'DESCRIPTION'], pools.map((pool) => [
      pool.name, pool.slots < 0 ? 'unlimited' : pool.slots, pool.slots < 0 ? 'unlimited' : pool.open_slots, pool.running_slots, pool.queued_slots, pool.scheduled_slots, pool.description,
    ])));
  });
}

interface SetOptions extends RemoteOptions { description?: string; includeDeferred?: boolean }

function setCommand(context: CliContext): Command {
  return remoteCommand('set', 'Make a pool or change one.', 'leoflow pools set database 4 --description "connections"').argument('<name>').argument('<slots>', 'number of slots, −1 without limit', integerOption('slots'))
    .option('--description <text>', 'what it is for').option('--include-deferred', 'deferred tasks hold their slots').action(async (name: string, slots: number, options: SetOptions) => {
      const pool = await setPool(clientOf(context, options), { name, slots, options });
      context.out(options.json === true ? renderJson(pool) : `${pool.name} has ${pool.slots < 0 ? 'unlimited' : pool.slots} slots\n`);
    });
}

async function setPool(client: ApiClient, pool: { name: string; slots: number; options: SetOptions }): Promise<PoolResponse> {
  const { name, slots, options } = pool;
  const known = await client.json<PoolResponse>('GET', `/pools/${segment(name)}`).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'not_found') return null;
    throw error;
  });
  const more = { include_deferred: options.includeDeferred ?? known?.include_deferred ?? false };
  if (known === null) return client.json('POST', '/pools', { body: { name, slots, description: options.description ?? null, ...more } });
  const isDefault = name === 'default_pool';
  return client.json('PATCH', `/pools/${segment(name)}`, {
    query: { update_mask: isDefault ? ['slots', 'include_deferred'] : null },
    body: { pool: name, slots, ...more, ...(isDefault ? {} : { description: options.description ?? known.description ?? null }) },
  });
}

function deleteCommand(context: CliContext): Command {
  return remoteCommand('delete', 'Delete a pool.', 'leoflow pools delete database').argument('<name>').action(async (name: string, options: RemoteOptions) => {
    await clientOf(context, options).json('DELETE', `/pools/${segment(name)}`);
    context.out(options.json === true ? renderJson({ deleted: name }) : `${name} is deleted\n`);
  });
}
