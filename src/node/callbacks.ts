// Callbacks of a task in Node: exported functions of its modules, called with the context. What goes wrong in one is logged and changes nothing.
import type { Context } from '#sdk/context.ts';
import type { TaskNode } from '#sdk/drawn-dag.ts';
import { findModule, type ModuleLoader } from './load-module.ts';
import type { TaskLog } from './task-log.ts';

/** What happened to the task. */
export type Happened = 'execute' | 'success' | 'failure' | 'retry' | 'skipped';

/** Whose callbacks, and where their modules are. */
export interface CallbackOwner {
  readonly task: TaskNode;
  readonly context: Context;
  readonly home: { readonly root: string; readonly dag_file: string };
  readonly modules: ModuleLoader;
  readonly log: TaskLog;
}

/** A callback that takes longer is left alone: the task's end waits for it. */
const LIMIT_MS = 60_000;

/** Calls what the task names for this, one after the other. Never rejects. */
export async function callBack(happened: Happened, owner: CallbackOwner, error?: unknown): Promise<void> {
  const named = owner.task.entry[`on_${happened}_callback`];
  for (const reference of [named].flat().filter((one) => typeof one === 'string')) {
    try {
      await within(LIMIT_MS, callOne(reference, owner, error));
    } catch (thrown) {
      owner.log.write('error', `the callback ${reference} failed`, { logger: 'task', error: thrown });
    }
  }
}

async function callOne(reference: string, { context, home, modules }: CallbackOwner, error: unknown): Promise<void> {
  const [module = '', name = ''] = reference.split('#');
  if (!/\.m?[jt]s$/.test(module)) throw new Error(`${reference} is a function of Python: a task in Node calls back functions of its own language, such as ${home.dag_file}#name`);
  const loaded = await modules.load(findModule(home.root, home.dag_file, module));
  if (loaded.kind === 'failed') throw loaded.error;
  const callback = loaded.exported[name];
  if (typeof callback !== 'function') throw new Error(`${module} exports no function ${name}`);
  await (callback as (context: Context, error: unknown) => unknown)(context, error);
}

/** The timer also keeps the process alive: a callback may wait for what never comes. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.reject(new Error(`it took longer than ${ms / 1000} s`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
