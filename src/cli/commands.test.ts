// The table of commands: every command answers to its name in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, createProgram } from './commands.ts';
import type { LocalContext } from './local-context.ts';

const context = { version: '0', out: () => undefined, err: () => undefined } as unknown as LocalContext;

test('a command is named as the table names it, and is loaded alone', async () => {
  for (const name of Object.keys(COMMANDS)) assert.deepEqual((await createProgram(context, [name])).commands.map((command) => command.name()), [name]);
});

test('help and a mistake load every command, the version none', async () => {
  for (const args of [[], ['--help'], ['help', 'run'], ['xcomm']]) assert.deepEqual((await createProgram(context, args)).commands.map((command) => command.name()), Object.keys(COMMANDS), args.join(' '));
  assert.deepEqual((await createProgram(context, ['--version'])).commands, []);
});
