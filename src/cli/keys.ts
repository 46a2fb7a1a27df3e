// `leoflow keys`: rotates the keys of stored secrets, and says what cannot be decrypted.
import { Command } from 'commander';
import { AppError } from '#contract/errors.ts';
import { addKey, keepKeys, putKeyFirst } from '#platform/key-file.ts';
import { forgetKey, listUnreadable, reencrypt, withRotationLock } from '#store/rotate-secrets.ts';
import { announceKey, countUses, dropUnusedKeys, findAddedKey, promoteFirstKey, readKnownKeys } from '#store/secret-keys.ts';
import type { Vault } from '#store/variables.ts';
import type { CliContext } from './context.ts';
import { renderJson } from './output.ts';
import { withOwnVault } from './own-vault.ts';
import { groupCommand } from './remote-command.ts';

/** The command. It works on the database and the keys themselves, with or without a running server. */
export function keysCommand(context: CliContext): Command {
  return groupCommand('keys', 'The keys that encrypt variables and connections. Works on this machine’s own database and key file.', [addCommand(context), rotateCommand(context), checkCommand(context), forgetCommand(context)]);
}

function keyCommand(name: string, description: string, example: string): Command {
  return new Command(name).description(description).option('--json', 'print JSON').addHelpText('after', `\nExample:\n  ${example}\n`);
}

function addCommand(context: CliContext): Command {
  return keyCommand('add', 'Put a new key behind the others, for the next rotation: nothing is encrypted with it before every server can have it.', 'leoflow keys add').action(async (options: { json?: boolean }) => {
    const added = await withOwnVault(context, (vault) => withRotationLock(vault.database, () => add(vault)));
    context.out(options.json === true ? renderJson(added) : `the key ${added.key} stands behind the others\nCopy ${added.file} to every server of this database, which read it again by themselves, then run \`leoflow keys rotate\`.\n`);
  });
}

/** One key at a time is prepared. */
async function add({ database, keys }: Vault): Promise<{ readonly key: string; readonly file: string }> {
  const file = fileOf(keys);
  const known = await findAddedKey(database, keys.read());
  if (known !== null) return { key: known, file };
  const key = addKey(file);
  await announceKey(database, key);
  return { key: key.id, file };
}

interface Rotated { readonly key: string; readonly reencrypted: number; readonly unreadable: readonly string[]; readonly dropped: readonly string[] }

interface RotateOptions { readonly dropOld?: boolean; readonly yes?: boolean; readonly json?: boolean }

function rotateCommand(context: CliContext): Command {
  return keyCommand('rotate', 'Encrypt everything with a new key, while servers run. A rotation that was interrupted goes on.', 'leoflow keys add && leoflow keys rotate && leoflow keys rotate --drop-old')
    .option('--drop-old', 'no new key: remove the keys that nothing is encrypted with any more').option('--yes', 'without `keys add` before: no server of this database runs on another machine').action(async (options: RotateOptions) => {
      const dropsOld = options.dropOld === true;
      // The embedded database is reached from this machine alone, where all servers have this key file.
      const isAlone = options.yes === true || context.readConfig().LEOFLOW_DATABASE_URL === null;
      const rotated = await withOwnVault(context, (vault) => withRotationLock(vault.database, () => rotate(vault, { dropsOld, isAlone })));
      context.out(options.json === true ? renderJson(rotated) : renderRotated(rotated, dropsOld));
      if (rotated.unreadable.length > 0) throw new AppError('secret_key_missing', `${rotated.unreadable.length} values could not be read and stay as they are`);
    });
}

const MAX_TOLD = 100;

function renderRotated({ key, reencrypted, unreadable, dropped }: Rotated, dropsOld: boolean): string {
  const more = unreadable.length > MAX_TOLD ? [`and ${unreadable.length - MAX_TOLD} more: see \`leoflow keys check\``] : [];
  const lines = [`current key ${key}, ${reencrypted} values re-encrypted`, ...dropped.map((id) => `removed the key ${id}`), ...unreadable.slice(0, MAX_TOLD).map((what) => `cannot decrypt ${what}`), ...more];
  if (!dropsOld) lines.push('Backups made before need the old key: keep a copy, then run `leoflow keys rotate --drop-old`.');
  return `${lines.join('\n')}\n`;
}

async function rotate(vault: Vault, how: { readonly dropsOld: boolean; readonly isAlone: boolean }): Promise<Rotated> {
  const { database, keys } = vault;
  const { current } = await readKnownKeys(database);
  const first = keys.read().keys[0].id;
  const isUnfinished = (current !== null && first !== current) || [...(await countUses(database)).keys()].some((id) => id !== first && keys.read().keys.some((key) => key.id === id));
  if (!how.dropsOld && !isUnfinished) await startRotation(vault, how.isAlone ? 'alone' : 'with others');
  await promoteFirstKey(database, keys.read());
  const { done, unreadable } = await reencrypt(database, keys);
  const dropped = how.dropsOld ? await dropOld(vault) : [];
  return { key: keys.read().keys[0].id, reencrypted: done, unreadable: unreadable.map((one) => one.what), dropped };
}

/** Nobody is left behind: the new key is one that was added before, or there is nobody else. */
async function startRotation({ database, keys }: Vault, servers: 'alone' | 'with others'): Promise<void> {
  const file = fileOf(keys);
  const added = await findAddedKey(database, keys.read());
  if (added === null && servers === 'with others') {
    throw new AppError('usage', 'servers on other machines could neither read nor write variables and connections until they have the new key: nothing was changed', {
      hint: `Run \`leoflow keys add\`, copy ${file} to every server of this database, then run \`leoflow keys rotate\`. If no server runs on another machine, add --yes.`,
    });
  }
  putKeyFirst(file, added ?? addKey(file).id);
}

function fileOf({ file }: Vault['keys']): string {
  if (file !== null) return file;
  throw new AppError('usage', 'the keys stand in LEOFLOW_SECRET_KEYS itself: only you can add one', {
    hint: 'Make one (openssl rand -base64 32), put it behind the others on every server and restart them; then put it first, restart them, and run `leoflow keys rotate` with the same setting. Last, take the old key out.',
  });
}

/** Keys that are neither current nor used leave the database first, then the file. */
async function dropOld({ database, keys }: Vault): Promise<readonly string[]> {
  await dropUnusedKeys(database);
  const { all } = await readKnownKeys(database);
  const gone = keys.read().keys.map((key) => key.id).filter((id) => !all.includes(id));
  if (keys.file !== null && gone.length > 0) keepKeys(keys.file, (key) => all.includes(key.id));
  return gone;
}

function checkCommand(context: CliContext): Command {
  return keyCommand('check', 'List what this machine’s keys cannot decrypt, without showing any value.', 'leoflow keys check').action(async (options: { json?: boolean }) => {
    const found = await withOwnVault(context, async ({ database, keys }) => ({
      keys: keys.read().keys.map((key) => key.id), current: (await readKnownKeys(database)).current, uses: Object.fromEntries(await countUses(database)), unreadable: await listUnreadable(database, keys.read()),
    }));
    const lines = [`keys of this machine: ${found.keys.join(', ')}`, `current key of the database: ${found.current ?? 'none yet'}`, ...Object.entries(found.uses).map(([id, count]) => `  ${id}  ${count} values`),
      ...found.unreadable.map((one) => `cannot decrypt ${one.what}: ${one.isDamaged ? 'its row was damaged, or copied from another' : `its key ${one.keyId} is not here`}`)];
    context.out(options.json === true ? renderJson(found) : `${lines.join('\n')}\n`);
    if (found.unreadable.length > 0) throw new AppError('secret_key_missing', `${found.unreadable.length} values cannot be decrypted`);
  });
}

function forgetCommand(context: CliContext): Command {
  return keyCommand('forget', 'Give up a key that is lost for good: what it encrypts is emptied, so that it can be set again.', 'leoflow keys forget 0f6d3b1c5e2a4977 --yes').argument('<key-id>')
    .option('--yes', 'really: there is no way back').action(async (keyId: string, options: { yes?: boolean; json?: boolean }) => {
      if (options.yes !== true) throw new AppError('usage', `what the key ${keyId} encrypts would be lost for good`, { hint: 'Look for the key in backups first. If it is gone, add --yes.' });
      const emptied = await withOwnVault(context, ({ database, keys }) => forgetKey(database, keys.read(), keyId));
      context.out(options.json === true ? renderJson({ key: keyId, emptied }) : `${emptied} values emptied; set them again\n`);
    });
}
