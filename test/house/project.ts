// What the house rules look at: the project's files, and a source text with its comments and strings told apart from its code.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** The repository's root folder. */
export const ROOT = join(import.meta.dirname, '..', '..');

const SKIPPED = new Set(['node_modules', '__pycache__', '.venv', '.venv-probe', '.git', 'dist', 'coverage', '.cache']);

/** Paths below `folder` from the root, with /, sorted; nothing when there is no such folder. */
export function listFiles(folder: string, pattern: RegExp): string[] {
  const start = join(ROOT, folder);
  if (!existsSync(start)) return [];
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (pattern.test(entry.name)) found.push(relative(ROOT, path).split(sep).join('/'));
    }
  };
  walk(start);
  return found.sort();
}

/** A file's text by its path from the root. */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** A string or template literal. `text` is what stands between the quotes, as written. */
export interface Literal { readonly text: string; readonly line: number; readonly start: number }

/** A TypeScript source taken apart. `code` is as long as the source: comments, strings and regular expressions are blanks in it. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly code: string;
  readonly literals: readonly Literal[];
}

/** Every TypeScript source below these folders. */
export function readSources(...folders: string[]): Source[] {
  return folders.flatMap((folder) => listFiles(folder, /\.ts$/)).map((path) => scan(path, readText(path)));
}

/** True for a test beside its file, or anything below test/ and bench/. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || /^(test|bench)\//.test(path);
}

/** Line number, from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** Every match of a pattern in the code (not in strings or comments) as `path:line`. */
export function findInCode(source: Source, pattern: RegExp): { readonly place: string; readonly match: RegExpExecArray }[] {
  return [...source.code.matchAll(pattern)].map((match) => ({ place: `${source.path}:${lineAt(source.text, match.index)}`, match }));
}

/** One import or re-export, static or dynamic. */
export interface Import { readonly specifier: string; readonly line: number; readonly isReexport: boolean }

/** Imports of a source whose specifier is written as a string. */
export function listImports(source: Source): Import[] {
  const pattern = /\b(?:(import|export)\b[^;'"`()]*?\bfrom\s*|import\s*|import\s*\(\s*|import\.meta\.resolve\(\s*)(['"])/g;
  return [...source.code.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].length;
    const end = source.text.indexOf(match[2] ?? "'", start);
    return { specifier: source.text.slice(start, end), line: lineAt(source.text, match.index), isReexport: match[1] === 'export' };
  });
}

/** Takes a source apart. Regular expressions are told from divisions by what stands before them. */
export function scan(path: string, text: string): Source {
  const scanner = new Scanner(text);
  while (scanner.at < text.length) scanner.step();
  return { path, text, code: scanner.out.join(''), literals: scanner.literals };
}

/** Walks a text once. Open template literals are kept with the depth of braces at which their `${` began. */
class Scanner {
  readonly out: string[];
  readonly literals: Literal[] = [];
  at = 0;
  readonly #text: string;
  readonly #templates: { start: number; depth: number; chunk: number }[] = [];
  #depth = 0;
  /** The last word or sign of code. */
  #previous = '';

  constructor(text: string) {
    this.#text = text;
    this.out = text.split('');
  }

  step(): void {
    const char = this.#text[this.at] ?? '';
    if (this.#text.startsWith('//', this.at)) this.#skip(indexOrEnd(this.#text, '\n', this.at));
    else if (this.#text.startsWith('/*', this.at)) this.#skip(indexOrEnd(this.#text, '*/', this.at + 2) + 2);
    else if (char === "'" || char === '"') this.#readString();
    else if (char === '`') {
      this.at += 1;
      this.#templates.push({ start: this.at, depth: this.#depth, chunk: this.at });
      this.#readTemplate();
    } else if (char === '/' && startsRegex(this.#previous)) {
      this.#skip(endOfRegex(this.#text, this.at) + 1);
      this.#previous = ')';
    } else this.#readCode(char);
  }

  #readCode(char: string): void {
    this.at += 1;
    if (char === '{') this.#depth += 1;
    if (char === '}') this.#depth -= 1;
    const template = this.#templates.at(-1);
    if (char === '}' && template?.depth === this.#depth) {
      template.chunk = this.at;
      this.#readTemplate();
    } else if (/[\w$]/.test(char)) {
      this.#previous = /^[\w$]+/.exec(this.#text.slice(this.at - 1, this.at + 40))?.[0] ?? char;
      this.at += this.#previous.length - 1;
    } else if (!/\s/.test(char)) this.#previous = char;
  }

  #readString(): void {
    const start = this.at + 1;
    const end = endOfString(this.#text, this.at);
    this.#keep(start, end);
    this.#blank(start, end);
    this.at = end + 1;
    this.#previous = '"';
  }

  /** Reads template text up to its end or its next `${`. */
  #readTemplate(): void {
    const template = this.#templates.at(-1);
    if (template === undefined) return;
    while (this.at < this.#text.length && this.#text[this.at] !== '`' && !this.#text.startsWith('${', this.at)) this.at += this.#text[this.at] === '\\' ? 2 : 1;
    this.#blank(template.chunk, this.at);
    if (this.#text[this.at] === '`') {
      this.#keep(template.start, this.at);
      this.#templates.pop();
      this.at += 1;
      this.#previous = '"';
    } else {
      template.depth = this.#depth;
      this.#depth += 1;
      this.at += 2;
      this.#previous = '{';
    }
  }

  #keep(start: number, end: number): void {
    this.literals.push({ text: this.#text.slice(start, end), line: lineAt(this.#text, start), start });
  }

  #skip(to: number): void {
    this.#blank(this.at, to);
    this.at = to;
  }

  #blank(from: number, to: number): void {
    for (let i = from; i < to && i < this.out.length; i += 1) if (this.out[i] !== '\n') this.out[i] = ' ';
  }
}

function indexOrEnd(text: string, part: string, from: number): number {
  const found = text.indexOf(part, from);
  return found < 0 ? text.length : found;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start] && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function startsRegex(previous: string): boolean {
  if (/^(return|typeof|case|in|of|delete|void|throw|new|else|do|yield|await)$/.test(previous)) return true;
  return previous === '' || /^[=(,:;!&|?{}[+\-*%~^<>]$/.test(previous);
}

function endOfRegex(text: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  for (; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at;
  }
  return at;
}

/** Rows of the first Markdown table below a heading: the cells of each row, the header left out. */
export function readTable(markdown: string, heading: string): string[][] {
  const at = markdown.split('\n').findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '').startsWith(heading));
  if (at < 0) return [];
  const rows: string[][] = [];
  for (const line of markdown.split('\n').slice(at + 1)) {
    if (/^#+ /.test(line) || (rows.length > 0 && !line.startsWith('|'))) break;
    if (line.startsWith('|')) rows.push(line.split('|').slice(1, -1).map((cell) => cell.trim()));
  }
  return rows.slice(2);
}

/** Fails with one problem per line. */
export function assertNone(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`${problems.length} to mend:\n  ${problems.join('\n  ')}`);
}
