// The frame of the XCom reader's commands: their own exit code for mistakes, numbers within limits.
import { Command } from 'commander';
import { AppError, ERRORS } from '#contract/errors.ts';
import { USAGE_EXIT } from './usage-exit.ts';

/** A command whose mistakes in flags exit with 2, as the reader's other failures have codes of their own. */
export function readerCommand(name: string, description: string): Command {
  const command = new Command(name).description(description);
  USAGE_EXIT.set(command, ERRORS.reader_usage.exit);
  return command;
}

/** A whole number of a flag. Throws `reader_usage`. */
export function readerInteger(name: string, text: string, [min, max]: readonly [number, number]): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) throw new AppError('reader_usage', `--${name} ${text}: expected a whole number from ${min} to ${max}`);
  return value;
}
