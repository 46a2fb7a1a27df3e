// A folder of DAG files kept registered: all of them at start, then each again when it, or a module it imports, is saved.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { callLater, monotonicMs } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import { watchFolder } from '#platform/watch-folder.ts';
import { asNote, type Compiled, type CompileProblem, isWithoutDag, renderProblem } from '#compile/compiled.ts';
import { IGNORE_FILE } from '#compile/airflow-ignore.ts';
import { DagFolderScan } from '#compile/find-dag-files.ts';
import { isPackagedDag } from '#compile/packaged-dags.ts';
import { isProjectFile, rootOf } from '#compile/project.ts';
import { markStale } from '#store/dag-versions.ts';
import { clearImportError, saveImportError } from '#store/import-errors.ts';
import type { OpenEngine } from './engine-port.ts';
import { openParsers, ProjectCompiler } from './project-compiler.ts';
import type { WarmParsers } from '#compile/warm-parsers.ts';

/** Airflow's name for the bundle of a plain DAG folder. */
export const FOLDER_BUNDLE = 'dags-folder';
/** Editors write a file in several steps; one compile follows the last of them. */
const SETTLE_MS = 15;
const PARALLEL = 2;

/** How the folder is watched and where findings are told. */
export interface DagFolderOptions {
  readonly engine: OpenEngine;
  readonly config: Config;
  readonly python: string;
  readonly root: string;
  readonly say: (text: string) => void;
  readonly secrets: OpenEngine['secrets'];
}

/** The watched folder of `leoflow lite`. */
export class DagFolder {
  /** `root` is where paths start; DAG files are only those below it that begin with the prefix. */
  readonly #options: DagFolderOptions;
  readonly #prefix: string;
  /** What each file registered last: its DAGs and the files they were made of. */
  readonly #files = new Map<string, { dagIds: readonly string[]; sources: ReadonlySet<string> }>();
  readonly #owners = new Map<string, string>();
  /** Files that hold no DAG, with what is said of it. */
  readonly #empty = new Map<string, CompileProblem>();
  readonly #changed = new Set<string>();
  readonly #parsers: WarmParsers;
  #compiler: ProjectCompiler;
  #scan: DagFolderScan;
  #callOff: () => void = () => undefined;
  #stopWatching: () => void = () => undefined;
  #busy: Promise<void> = Promise.resolve();

  constructor(options: DagFolderOptions) {
    const { root, prefix } = rootOf(options.root);
    this.#options = { ...options, root };
    this.#prefix = prefix;
    this.#parsers = openParsers(options.config);
    this.#compiler = this.#newCompiler();
    this.#scan = this.#newScan();
  }

  /** Registers everything there is, then keeps watching. @returns how many DAGs are registered */
  async start(): Promise<number> {
    this.#watch();
    this.#tellPackaged();
    await this.#compileAll(this.#findFiles());
    return [...this.#files.values()].reduce((sum, file) => sum + file.dagIds.length, 0);
  }

  #newCompiler(): ProjectCompiler {
    return new ProjectCompiler(this.#options.root, { ...this.#options, prefix: this.#prefix, parsers: this.#parsers });
  }

  #newScan(): DagFolderScan {
    return new DagFolderScan(join(this.#options.root, this.#prefix));
  }

  #findFiles(): readonly string[] {
    return this.#scan.find().map((file) => `${this.#prefix}${file}`);
  }

  #tellPackaged(): void {
    const warnings = this.#scan.findPackaged().map((one) => ({ ...one, file: `${this.#prefix}${one.file}` }));
    for (const warning of warnings) if (this.#compiler.includes(warning.file)) this.#options.say(`warning  ${renderProblem(warning)}\n`);
  }

  async stop(): Promise<void> {
    this.#stopWatching();
    this.#callOff();
    await this.#busy;
    await this.#parsers.close();
  }

  #watch(): void {
    this.#stopWatching = watchFolder(this.#options.root, {
      skip: (name) => name.startsWith('.') || name === '__pycache__' || name === 'node_modules',
      onError: (error) => this.#fail('watching', error),
      onChange: (path) => {
        if (!isIgnoreFile(path) && /(^|\/)(\.|__pycache__)|~$|\.swp$|\.tmp$/.test(path)) return;
        this.#changed.add(path);
        this.#callOff();
        this.#callOff = callLater(SETTLE_MS, () => {
          const paths = [...this.#changed];
          this.#changed.clear();
          this.#busy = this.#busy.then(() => this.#onSaved(paths)).catch((error: unknown) => this.#fail('watching', error));
        });
      },
    });
  }

  #fail(where: string, error: unknown): void {
    this.#options.engine.report({ event: 'failure', where, error: errorText(error) });
    this.#options.say(`${where}: ${errorText(error)}\n`);
  }

  async #onSaved(names: readonly string[]): Promise<void> {
    const { root } = this.#options;
    if ((names.some(isProjectFile) && this.#readProjectAgain()) || names.some(isIgnoreFile)) return this.#findAgain();
    if (names.some((name) => name.startsWith(this.#prefix) && isPackagedDag(join(root, name)))) this.#tellPackaged();
    const affected = new Set<string>();
    for (const name of names) {
      if (this.#files.has(name) || (name.startsWith(this.#prefix) && this.#scan.finds(name.slice(this.#prefix.length)))) affected.add(name);
      for (const [file, { sources }] of this.#files) if (isAmong(sources, name) || this.#compiler.carries(file, name)) affected.add(file);
    }
    await this.#compileAll([...affected]);
  }

  /** Files may be let in or left out now. */
  async #findAgain(): Promise<void> {
    const { root } = this.#options;
    this.#scan = this.#newScan();
    const found = this.#findFiles();
    for (const file of [...this.#files.keys()]) if (!found.includes(file)) await this.#remove(file, existsSync(join(root, file)) ? `is left out by ${IGNORE_FILE}` : undefined);
    await this.#compileAll(found);
  }

  /** @returns false when it is wrong: what was known goes on */
  #readProjectAgain(): boolean {
    const { root, say } = this.#options;
    try {
      if (rootOf(join(root, this.#prefix)).root !== root) {
        say('import_paths or include_files now lead above the folder that is watched: stop and start again\n');
        return false;
      }
      this.#compiler = this.#newCompiler();
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      say(`refused  ${error.message}\n`);
      return false;
    }
  }

  async #compileAll(files: readonly string[]): Promise<void> {
    for (const file of files) if (this.#files.has(file) && !this.#compiler.includes(file)) await this.#remove(file, 'is left out by leoflow.yaml');
    const queue = files.filter((file) => this.#compiler.includes(file));
    const worker = async (): Promise<void> => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) await this.#compileOne(file).catch((error: unknown) => this.#fail(String(file), error));
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    this.#tellEmpty(files);
  }

  /** What another file reads needs no word. */
  #tellEmpty(files: readonly string[]): void {
    for (const file of files) {
      const empty = this.#empty.get(file);
      const isRead = [...this.#files].some(([other, { sources }]) => other !== file && sources.has(file));
      if (empty !== undefined && !isRead) this.#options.say(`warning  ${renderProblem(asNote(empty))}\n`);
    }
  }

  /** As in Airflow that a file holds no DAG is no error of a folder. */
  #keepEmpty(file: string, compiled: Compiled): Compiled {
    const empty = compiled.problems.find(isWithoutDag);
    if (empty === undefined) this.#empty.delete(file);
    else this.#empty.set(file, empty);
    return empty === undefined ? compiled : { ...compiled, problems: compiled.problems.filter((problem) => problem !== empty) };
  }

  async #compileOne(file: string): Promise<void> {
    const { root, engine, say } = this.#options;
    if (!existsSync(join(root, file))) return this.#remove(file);
    const started = monotonicMs();
    const compiled = this.#keepEmpty(file, await this.#compiler.compile(file));
    await this.#tellProblems(file, compiled);
    const parseMs = monotonicMs() - started;
    const registered: string[] = [];
    const sources = new Set<string>([file, ...(compiled.read ?? []), ...(compiled.awaited ?? []), ...compiled.problems.map((problem) => problem.file)]);
    for (const one of compiled.dags) {
      const { dag } = one;
      const owner = this.#owners.get(dag.dag_id);
      if (owner !== undefined && owner !== file && this.#files.get(owner)?.dagIds.includes(dag.dag_id) === true) {
        await this.#refuse(file, `${file}: the DAG ${dag.dag_id} is also in ${owner}`);
        continue;
      }
      this.#owners.set(dag.dag_id, file);
      const made = await engine.register({ dag, sources: one.sources }, { bundle: FOLDER_BUNDLE, active: true, parseMs });
      for (const source of dag.sources) sources.add(source.path);
      registered.push(dag.dag_id);
      if (!made.changed) continue;
      const ms = monotonicMs() - started;
      engine.report({ event: 'dag.registered', dag_id: dag.dag_id, version: made.number, created: made.created, ms });
      say(`registered  ${dag.dag_id}  version ${made.number}  (${file}, runtime ${dag.runtime}, ${ms.toFixed(0)} ms)\n`);
    }
    await this.#keep(file, { registered, sources, broken: compiled.problems.length > 0 });
    if (registered.length > 0) void this.#checkTwice(file, compiled);
  }

  /** A file that is broken now keeps what it registered before: the old version goes on. */
  async #keep(file: string, now: { registered: readonly string[]; sources: ReadonlySet<string>; broken: boolean }): Promise<void> {
    const before = this.#files.get(file);
    const vanished = now.broken ? [] : (before?.dagIds ?? []).filter((id) => !now.registered.includes(id));
    if (vanished.length > 0) {
      await markStale(this.#options.engine.database, vanished);
      this.#options.say(`removed  ${vanished.join(', ')}  (no longer in ${file})\n`);
    }
    const dagIds = now.broken ? [...new Set([...(before?.dagIds ?? []), ...now.registered])] : now.registered;
    const sources = now.broken ? new Set([...(before?.sources ?? []), ...now.sources]) : now.sources;
    this.#files.set(file, { dagIds, sources });
  }

  async #tellProblems(file: string, compiled: Compiled): Promise<void> {
    const { engine, say } = this.#options;
    for (const warning of compiled.warnings) say(`warning  ${renderProblem(warning)}\n`);
    if (compiled.problems.length > 0) await this.#refuse(file, compiled.problems.map(renderProblem).join('\n'));
    else await clearImportError(engine.database, { bundle: FOLDER_BUNDLE, filename: file });
  }

  async #refuse(file: string, text: string): Promise<void> {
    const { engine, say } = this.#options;
    engine.report({ event: 'dag.refused', file, message: text });
    say(`refused  ${text}\n`);
    await saveImportError(engine.database, { bundle: FOLDER_BUNDLE, filename: file, stackTrace: text });
  }

  /** Off the path of the save: whether the file gives the same DAG twice. */
  async #checkTwice(file: string, compiled: Compiled): Promise<void> {
    const { say } = this.#options;
    try {
      for (const finding of await this.#compiler.findNondeterminism(file, compiled)) say(`warning  ${renderProblem(finding)}\n`);
    } catch (error) {
      this.#fail(file, error);
    }
  }

  async #remove(file: string, why = 'is gone'): Promise<void> {
    const known = this.#files.get(file);
    if (known === undefined) return;
    this.#files.delete(file);
    this.#empty.delete(file);
    await markStale(this.#options.engine.database, known.dagIds);
    await clearImportError(this.#options.engine.database, { bundle: FOLDER_BUNDLE, filename: file });
    if (known.dagIds.length > 0) this.#options.say(`removed  ${known.dagIds.join(', ')}  (${file} ${why})\n`);
  }
}

function isIgnoreFile(path: string): boolean {
  return path === IGNORE_FILE || path.endsWith(`/${IGNORE_FILE}`);
}

/** Whether a path is one of the sources, or lies below one that ends with `/`. */
function isAmong(sources: ReadonlySet<string>, path: string): boolean {
  const names = path.split('/');
  return sources.has(path) || names.some((_, depth) => sources.has(`${names.slice(0, depth + 1).join('/')}/`));
}
