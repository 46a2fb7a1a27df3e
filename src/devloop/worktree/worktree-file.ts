// `.leoflow/worktree.yaml`: read strictly, all problems at once with their place. The YAML package is loaded only when the file is there.
import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import type * as Yaml from 'yaml';
import { AppError } from '#contract/errors.ts';
import { PORTS_PER_TREE, type PlacedPath, WORKTREE_DEFAULTS, WORKTREE_FORM, type WorktreeFile, type WorktreeForm } from '#contract/worktree.ts';
import { suggest } from '#platform/config.ts';

/** Its place below the primary checkout. */
export const WORKTREE_FILE = join('.leoflow', 'worktree.yaml');
const MAX_BYTES = 256 * 1024;

/** The file of a folder with defaults filled in; the defaults where there is none. Throws `invalid_value` with every problem. */
export async function readWorktreeFile(folder: string): Promise<WorktreeFile> {
  const path = join(folder, WORKTREE_FILE);
  if (!existsSync(path)) return WORKTREE_DEFAULTS;
  const text = readFileSync(path, 'utf8');
  if (text.length > MAX_BYTES) throw new AppError('too_large', `${path} is larger than ${MAX_BYTES} bytes`);
  const reader = new Reader(await import('yaml'), text);
  const value = reader.read();
  if (reader.problems.length > 0) {
    const lines = reader.problems.sort((a, b) => a.line - b.line || a.column - b.column).map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
    throw new AppError('invalid_value', lines.join('\n'), { hint: `Known keys: ${Object.keys(WORKTREE_FORM).join(', ')}.`, details: reader.problems });
  }
  const given = value as Partial<WorktreeFile>;
  return { ...WORKTREE_DEFAULTS, ...given, identity: { ...WORKTREE_DEFAULTS.identity, ...given.identity }, push: { ...WORKTREE_DEFAULTS.push, ...given.push } };
}

interface Problem { readonly line: number; readonly column: number; readonly message: string }

/** Walks the parsed text along the form, since only the parsed text knows where things stand. */
class Reader {
  readonly problems: Problem[] = [];
  readonly #yaml: typeof Yaml;
  readonly #lines: Yaml.LineCounter;
  readonly #text: string;

  constructor(yaml: typeof Yaml, text: string) {
    this.#yaml = yaml;
    this.#lines = new yaml.LineCounter();
    this.#text = text.replace(/^\uFEFF/, '');
  }

  read(): unknown {
    const document = this.#yaml.parseDocument(this.#text, { lineCounter: this.#lines, uniqueKeys: true, schema: 'core', logLevel: 'error' });
    for (const error of document.errors) this.#problem(error.pos[0], (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''));
    if (this.problems.length > 0 || document.contents === null) return {};
    return this.#mapping(document.contents, WORKTREE_FORM, '');
  }

  #problem(offset: number | undefined, message: string): undefined {
    const { line, col } = this.#lines.linePos(offset ?? 0);
    this.problems.push({ line: Math.max(line, 1), column: Math.max(col, 1), message });
    return undefined;
  }

  #mapping(node: unknown, forms: Readonly<Record<string, WorktreeForm>>, at: string): Record<string, unknown> {
    const { isMap, isScalar } = this.#yaml;
    if (!isMap(node)) {
      this.#problem(offsetOf(node), `${at === '' ? 'the file' : at} must be a mapping of ${Object.keys(forms).join(', ')}`);
      return {};
    }
    const value: Record<string, unknown> = {};
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const form = Object.hasOwn(forms, key) ? forms[key] : undefined;
      if (form === undefined) this.#problem(offsetOf(pair.key), `unknown key ${at === '' ? '' : `${at}.`}${key}${suggest(key, Object.keys(forms))}`);
      else value[key] = this.#value(pair.value ?? pair.key, form, at === '' ? key : `${at}.${key}`);
    }
    return value;
  }

  #value(node: unknown, form: WorktreeForm, at: string): unknown {
    switch (form.kind) {
      case 'mapping': return this.#mapping(node, form.keys, at);
      case 'text': return this.#text1(node, at);
      case 'flag': return this.#yaml.isScalar(node) && typeof node.value === 'boolean' ? node.value : this.#problem(offsetOf(node), `${at} must be true or false`);
      case 'paths': case 'pairs': return this.#list(node, at, (item) => this.#path(item, form.kind === 'pairs' ? 'pair' : 'path', at));
      case 'texts': return this.#list(node, at, (item) => this.#text1(item, at));
      case 'refs': return this.#list(node, at, (item) => this.#matching(item, /^refs\/[^\s\\"'`$;&|<>()]+$/, `${at} must name refs, such as refs/tags/*`));
      case 'names': {
        const names = this.#list(node, at, (item) => this.#matching(item, /^[a-z][a-z0-9_-]{0,39}$/, `${at} must be short names of small letters, such as web`));
        if (names.length > PORTS_PER_TREE) this.#problem(offsetOf(node), `${at}: at most ${PORTS_PER_TREE} names`);
        if (new Set(names).size < names.length) this.#problem(offsetOf(node), `${at}: a name stands twice`);
        return names;
      }
      case 'choices': return this.#list(node, at, (item) => {
        const text = this.#text1(item, at);
        if (text === undefined || form.of.includes(text)) return text;
        return this.#problem(offsetOf(item), `${at} must be one of ${form.of.join(', ')}${suggest(text, form.of)}`);
      });
    }
  }

  #list<T>(node: unknown, at: string, read: (item: unknown) => T | undefined): T[] {
    if (!this.#yaml.isSeq(node)) {
      this.#problem(offsetOf(node), `${at} must be a list`);
      return [];
    }
    return node.items.flatMap((item) => read(item) ?? []);
  }

  #text1(node: unknown, at: string): string | undefined {
    return this.#yaml.isScalar(node) && typeof node.value === 'string' && node.value !== '' ? node.value : this.#problem(offsetOf(node), `${at} must be a text`);
  }

  #matching(node: unknown, pattern: RegExp, message: string): string | undefined {
    const text = this.#yaml.isScalar(node) && typeof node.value === 'string' ? node.value : '';
    return pattern.test(text) ? text : this.#problem(offsetOf(node), message);
  }

  #path(node: unknown, form: 'path' | 'pair', at: string): PlacedPath | undefined {
    if (form === 'path' && this.#yaml.isScalar(node)) {
      const path = this.#inside(node, at);
      return path === undefined ? undefined : { from: path, to: path };
    }
    const both: WorktreeForm = { kind: 'text' };
    if (!this.#yaml.isMap(node)) return this.#problem(offsetOf(node), `${at} must be ${form === 'path' ? 'a path, or ' : ''}{from: …, to: …}`);
    const before = this.problems.length;
    const value = this.#mapping(node, { from: both, to: both }, at);
    if (this.problems.length > before) return undefined;
    for (const key of ['from', 'to']) if (value[key] === undefined) return this.#problem(offsetOf(node), `${at}: ${key} is missing`);
    const from = this.#inside(node.get('from', true), at);
    const to = this.#inside(node.get('to', true), at);
    return from === undefined || to === undefined ? undefined : { from, to };
  }

  /** A path of the repository: nothing outside it is ever linked or copied, nor anything of git's. */
  #inside(node: unknown, at: string): string | undefined {
    const text = this.#text1(node, at);
    if (text === undefined) return undefined;
    const path = normalize(text).replace(/\/+$/, '');
    if (path.startsWith('/') || path === '.' || path === '..' || path.startsWith('../') || path.startsWith('~')) return this.#problem(offsetOf(node), `${at}: ${text} is not a path inside the repository`);
    return path.split('/').includes('.git') ? this.#problem(offsetOf(node), `${at}: ${text} belongs to git`) : path;
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];
}
