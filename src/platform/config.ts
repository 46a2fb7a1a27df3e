// The only reader of the environment: settings parsed by the table in contract/config.ts.
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Config, SETTINGS, type SettingName } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';

/** Variables that others own: tests, the task environment that a nested command may inherit, and variables and connections given as such. */
const FOREIGN = /^LEOFLOW_(TEST|TASK|EXECUTION|CTX|PARSE|VAR|CONN)_/;

type Overrides = Partial<Record<SettingName, string | number | boolean>>;

/**
 * Settings from the environment, then `overrides` (command-line flags).
 * Throws `invalid_config` with every problem at once; an unknown `LEOFLOW_*` variable is one.
 */
export function readConfig(overrides: Overrides = {}, env: NodeJS.ProcessEnv = process.env): Config {
  const problems: string[] = [];
  const names = Object.keys(SETTINGS) as SettingName[];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('LEOFLOW_') || FOREIGN.test(name)) continue;
    const base = name.endsWith('_FILE') ? name.slice(0, -5) : name;
    if (!names.includes(base as SettingName)) problems.push(`${name} is no setting${suggest(base, names)}`);
  }
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const given = overrides[name] ?? readRaw(name, env, problems);
    values[name] = given === undefined ? SETTINGS[name].default : parseSetting(name, String(given), problems);
  }
  if (problems.length > 0) throw new AppError('invalid_config', problems.join('\n'), { details: problems });
  return values as Config;
}

/** Every setting with its value and its source: `default`, a variable, or the file that one names. Secrets are masked. */
export function explainConfig(env: NodeJS.ProcessEnv = process.env): readonly { readonly name: SettingName; readonly value: string | number | boolean | null; readonly from: string }[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const setting = SETTINGS[name];
    const isSecret = 'secret' in setting;
    const file = isSecret ? env[`${name}_FILE`] : undefined;
    const given = file ?? env[name];
    if (given === undefined || given === '') return { name, value: setting.default, from: 'default' };
    return { name, value: isSecret ? '***' : given, from: file === undefined ? 'environment' : `${name}_FILE ${file}` };
  });
}

function readRaw(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  if (file !== undefined && 'secret' in SETTINGS[name]) {
    try {
      return readFileSync(file, 'utf8').trimEnd();
    } catch (cause) {
      problems.push(`${name}_FILE: cannot read ${file} (${cause instanceof Error ? cause.message : String(cause)})`);
    }
  }
  const value = env[name];
  return value === '' ? undefined : value;
}

function parseSetting(name: SettingName, raw: string, problems: string[]): unknown {
  const setting = SETTINGS[name];
  switch (setting.kind) {
    case 'text': return raw;
    case 'boolean':
      if (/^(1|true|yes|on)$/i.test(raw)) return true;
      if (!/^(0|false|no|off)$/i.test(raw)) problems.push(`${name}=${raw}: expected true or false`);
      return false;
    case 'choice':
      if (!(setting.choices ?? []).some((choice) => choice === raw)) problems.push(`${name}=${raw}: expected one of ${(setting.choices ?? []).join(', ')}`);
      return raw;
    case 'integer': case 'number': {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting;
      if (!isNumberWithin(raw, { min, max, whole: setting.kind === 'integer' })) problems.push(`${name}=${raw}: expected a number from ${min} to ${max}`);
      return Number(raw);
    }
  }
}

function isNumberWithin(raw: string, range: { min: number; max: number; whole: boolean }): boolean {
  const value = Number(raw);
  return Number.isFinite(value) && (!range.whole || Number.isInteger(value)) && value >= range.min && value <= range.max;
}

/** ` (did you mean X?)` for the nearest known name, else nothing. */
export function suggest(given: string, known: readonly string[]): string {
  const scored = known.map((name) => ({ name, distance: editDistance(given, name) })).sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  return best !== undefined && best.distance <= Math.max(2, given.length / 4) ? ` (did you mean ${best.name}?)` : '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The home folder: data, logs, sockets. As root it is /var/lib/leoflow, since PostgreSQL runs as an unprivileged user that cannot enter /root. */
export function homeFolder(config: Pick<Config, 'LEOFLOW_HOME'>, env: NodeJS.ProcessEnv = process.env): string {
  if (config.LEOFLOW_HOME !== null) return config.LEOFLOW_HOME;
  if (process.getuid?.() === 0) return '/var/lib/leoflow';
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'leoflow');
}

/** Environment that user code gets: this process's own, less everything that belongs to Leoflow. */
export function userEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && !name.startsWith('LEOFLOW_')) passed[name] = value;
  return passed;
}

/** The whole environment of this process, for programs that a person runs through a command. */
export function callerEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The shell that this person works in. */
export function loginShell(env: NodeJS.ProcessEnv = process.env): string {
  return env['SHELL'] ?? '/bin/sh';
}

/** Full path of a program on the search path; null when there is none. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  if (name.includes('/')) return name;
  const isProgram = (path: string): boolean => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  };
  return (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)).find(isProgram) ?? null;
}

/** Where this user's programs keep their settings. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
}

/** Where this user keeps what must outlive a cache and belongs to no project: approvals, leases, what was rescued. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'leoflow');
}

/** The file that a secret setting was read from; null when it was not. */
export function fileOfSetting(name: SettingName, env: NodeJS.ProcessEnv = process.env): string | null {
  return env[`${name}_FILE`] ?? null;
}

/** A variable or connection of this process's environment, by Airflow's prefix or ours: AIRFLOW_VAR_KEY, LEOFLOW_CONN_ID, names upper-cased. */
export function findSecretVariable(kind: 'VAR' | 'CONN', name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const upper = name.toUpperCase();
  return env[`AIRFLOW_${kind}_${upper}`] ?? env[`LEOFLOW_${kind}_${upper}`] ?? null;
}

/** True when colours may be written to this stream. */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '';
}
