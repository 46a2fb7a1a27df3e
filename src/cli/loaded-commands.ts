// Commands that are loaded when they are called, so that a small one starts without the others' packages.
import type { Command } from 'commander';

/** Commands by name; each gets the arguments that follow its name. */
export type Loaders<Context> = Readonly<Record<string, (args: readonly string[]) => Promise<(context: Context) => Command>>>;

/** Whether a command may be needed: the one that the arguments begin with; every one where they begin with none (help, a mistake). */
export function isNamed(name: string, first: string | undefined, loaders: Loaders<never>): boolean {
  return first === name || first === undefined || !Object.hasOwn(loaders, first);
}
