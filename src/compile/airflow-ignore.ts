// `.airflowignore` as Airflow 3.2 reads it: gitignore-like patterns or regular expressions, in every folder for what lies below it.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** The name of the files. */
export const IGNORE_FILE = '.airflowignore';

/** Airflow's words for how the files are written. */
export type IgnoreSyntax = 'glob' | 'regexp';

interface Candidate { readonly path: string; readonly name: string; readonly isFolder: boolean }
/** True: ignored. False: let in again. Null: the rule says nothing about it. */
type Rule = (candidate: Candidate) => boolean | null;

/** The rules that hold in a folder: those of the folders above, then its own. */
export class IgnoreRules {
  readonly #base: string;
  readonly #syntax: IgnoreSyntax;
  readonly #rules = new Map<string, readonly Rule[]>();

  /** @param base folder of the DAG files, where the search begins */
  constructor(base: string, syntax: IgnoreSyntax) {
    this.#base = base;
    this.#syntax = syntax;
  }

  /** Whether the rules leave something out, by itself: what lies in a folder that is left out is not asked for. @param path whole path below the base */
  ignores(path: string, isFolder: boolean): boolean {
    const folder = dirname(path);
    const candidate = { path, name: relative(folder, path), isFolder };
    const said = this.#rulesIn(folder).map((rule) => rule(candidate)).filter((one) => one !== null);
    return this.#syntax === 'regexp' ? said.includes(true) : said.at(-1) === true;
  }

  #rulesIn(folder: string): readonly Rule[] {
    const known = this.#rules.get(folder);
    if (known !== undefined) return known;
    const above = folder === this.#base || !folder.startsWith(`${this.#base}${sep}`) ? [] : this.#rulesIn(dirname(folder));
    const rules = [...above, ...this.#read(folder)];
    this.#rules.set(folder, rules);
    return rules;
  }

  #read(folder: string): Rule[] {
    const path = join(folder, IGNORE_FILE);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return [];
    const lines = readFileSync(path, 'utf8').split(/\r\n|\r|\n/).map((line) => line.replace(/\s*#.*/, '')).filter((line) => line !== '');
    return lines.flatMap((line) => (this.#syntax === 'regexp' ? regexpRule(line, this.#base) : globRule(line, folder)) ?? []);
  }
}

/** How `[core] dag_ignore_file_syntax` has them written, by the environment or the airflow.cfg that it names, else the one in the folder or above it. */
export function ignoreSyntaxOf(folder: string, environment: Readonly<Record<string, string>>): IgnoreSyntax {
  const { AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX: said, AIRFLOW_CONFIG: config, AIRFLOW_HOME: home } = environment;
  if (said !== undefined && said !== '') return said === 'regexp' ? 'regexp' : 'glob';
  const files = [config, ...(home === undefined || home === '' ? [] : [join(home, 'airflow.cfg')]), join(folder, 'airflow.cfg'), join(dirname(folder), 'airflow.cfg')];
  const file = files.find((path) => path !== undefined && path !== '' && existsSync(path));
  return file !== undefined && coreSetting(readFileSync(file, 'utf8'), 'dag_ignore_file_syntax') === 'regexp' ? 'regexp' : 'glob';
}

function coreSetting(text: string, key: string): string | null {
  let section = '';
  for (const line of text.split('\n')) {
    section = /^\[([^\]]+)\]/.exec(line)?.[1] ?? section;
    const [, name, value] = /^([^#;=:\s][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === 'core' && name?.toLowerCase() === key) return value ?? '';
  }
  return null;
}

/** Searches the path from the base of the search, whichever folder the line stands in. Null when it is no expression: Airflow passes over it too. */
function regexpRule(line: string, base: string): Rule | null {
  const pattern = compileRegexp(line);
  return pattern === null ? null : ({ path }) => (pattern.test(relative(base, path)) ? true : null);
}

/** Python's way to write an expression as JavaScript's. */
function compileRegexp(text: string): RegExp | null {
  const [, flags = '', rest = ''] = /^(?:\(\?([imsux]+)\))?([^]*)$/.exec(text) ?? [];
  const body = rest.replaceAll('(?P<', '(?<').replace(/\(\?P=(\w+)\)/g, '\\k<$1>').replaceAll('\\A', '^').replaceAll('\\Z', '$');
  return tryRegExp(body, flags.replace(/[ux]/g, ''));
}

function tryRegExp(body: string, flags: string): RegExp | null {
  try {
    return new RegExp(body, flags);
  } catch {
    return null;
  }
}

/** A pattern with a slash before its end is held against the path from its own folder, another against the name alone; one with a slash at its end is for folders. */
function globRule(line: string, folder: string): Rule | null {
  const isRooted = line.startsWith('/') || line.replace(/\/+$/, '').includes('/');
  const isForFolders = /\/\s*$/.test(line.replace(/^!+/, ''));
  const text = line.endsWith('\\ ') ? line : line.trimEnd();
  if (text.trim() === '' || text.trim() === '/') return null;
  const isIgnored = !text.startsWith('!');
  const source = globSource((isIgnored ? text : text.slice(1)).split('/'));
  const pattern = source === null ? null : tryRegExp(source, 'u');
  if (pattern === null) return null;
  return ({ path, name, isFolder }) => {
    if (isForFolders && !isFolder) return null;
    const shown = isRooted ? relative(folder, path).split(sep).join('/') : name;
    return pattern.test(isFolder ? `${shown}/` : shown) ? isIgnored : null;
  };
}

/** Segments between slashes as one expression; null when they are no pattern. The cases are those of gitignore as `pathspec` 1.0 reads it. */
function globSource(given: readonly string[]): string | null {
  const parts = plainSegments(given);
  const whole = parts.join('/');
  if (parts.length === 0) return null;
  if (whole === '**' || whole === '**/*') return given.at(-1) === '' ? '/' : '.';
  if (whole === '**/*/**') return '/';
  let source = '';
  for (const [index, segment] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (segment === '**') {
      source += index === 0 ? '^(?:.+/)?' : isLast ? '/' : '(?:/.+)?';
      continue;
    }
    const translated = segmentSource(segment);
    if (translated === null) return null;
    // After a leading ** the slash is in it already.
    const before = index === 0 ? '^' : index === 1 && parts[0] === '**' ? '' : '/';
    source += `${before}${translated}${isLast ? '(?:/|$)' : ''}`;
  }
  return source;
}

/** A lone name stands at any depth, a slash at the end means all that lies below, and two ** in a row are one. */
function plainSegments(given: readonly string[]): readonly string[] {
  const segments = [...given];
  if (segments[0] === '') segments.shift();
  else if ((segments.length === 1 || (segments.length === 2 && segments[1] === '')) && segments[0] !== '**') segments.unshift('**');
  if (segments.at(-1) === '') segments[segments.length - 1] = '**';
  return segments.filter((segment, index) => segment !== '**' || segments[index - 1] !== '**');
}

/** One name with its wildcards; null when a bracket or a backslash has no end: git discards such patterns. */
function segmentSource(segment: string): string | null {
  if (segment === '*') return '[^/]+';
  let source = '';
  for (let at = 0; at < segment.length; at += 1) {
    const letter = segment[at] ?? '';
    if (letter === '\\') {
      at += 1;
      if (at === segment.length) return null;
      source += escaped(segment[at] ?? '');
    } else if (letter === '*') source += '[^/]*';
    else if (letter === '?') source += '[^/]';
    else if (letter === '[') {
      const [, isNegated, inside] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(segment.slice(at)) ?? [];
      if (inside === undefined) return null;
      source += `[${isNegated === '' ? '' : '^'}${inside.replace(/[\\\][^]/g, '\\$&')}]`;
      at += inside.length + (isNegated === '' ? 1 : 2);
    } else source += escaped(letter);
  }
  return source;
}

function escaped(letter: string): string {
  return letter.replace(/[.+*?^${}()|[\]\\/]/, '\\$&');
}
