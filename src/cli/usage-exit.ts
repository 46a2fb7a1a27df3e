// Exit codes of mistakes in arguments, for commands that promise another one than 64.
import type { Command } from 'commander';

/** Exit code by command. */
export const USAGE_EXIT = new WeakMap<Command, number>();
