// Compiles the DAG files of one project: its settings applied, its environments built when they are missing.
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import type { ConnectionValue, ImportSecrets } from '#contract/attempt.ts';
import type { Config } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import type { ProjectRuntime } from '#contract/project.ts';
import type { Secrets } from '#contract/secrets.ts';
import { findSecretVariable, homeFolder, userEnvironment } from '#platform/config.ts';
import { Environments } from '#platform/environments.ts';
import { AIRFLOW_VERSION, namesAirflow, TESTED_LINE, untestedPin, withAirflow } from '#compile/airflow-requirements.ts';
import { findAirflow } from '#compile/choose-runtime.ts';
import { compileFile, findDifferences } from '#compile/compile-file.ts';
import type { Compiled, CompiledDag, CompileProblem, CompileRequest, InstalledAirflow, NeededSecret } from '#compile/compiled.ts';
import { type Dependencies, LOCK, MANIFEST, readDependencies } from '#compile/dependencies.ts';
import { withIncluded } from '#compile/included-files.ts';
import { applyProject, Project } from '#compile/project.ts';
import { openWarmParsers } from '#compile/parser.ts';
import type { WarmParsers } from '#compile/warm-parsers.ts';
import type { ProjectLayer } from '#compile/project-file.ts';

/** `python` is the interpreter of files whose project names no packages; `say` hears of environments being built. */
export interface CompileTools {
  readonly config: Config;
  readonly python: string;
  readonly say?: (text: string) => void;
  /** Where a file's reads of variables and connections while it is imported are answered; the environment is looked at anyway. */
  readonly secrets?: Pick<Secrets, 'findVariable' | 'findConnection'>;
  /** For whoever compiles many files, or one again and again: `openParsers`. */
  readonly parsers?: WarmParsers;
  /** Where the folder of the DAG files lies below the root, when it is not the root: files import from it. */
  readonly prefix?: string;
  /** Folders to import from when no leoflow.yaml names any, whole paths. */
  readonly importPaths?: readonly string[];
}

/** What is wrong with a project and not with this machine: it refuses the files it speaks for. */
const REFUSALS: ReadonlySet<string> = new Set(['dependencies_failed', 'dependencies_unreachable', 'invalid_value', 'python_missing']);
/** A file may ask for another value only after it has one. */
const MAX_PASSES = 10;

/** What a compiled DAG's code runs in on this machine: its interpreter, and where its packages of Node lie. */
export async function environmentOf({ dag, sources }: CompiledDag, { config, python, say = () => undefined }: CompileTools): Promise<{ readonly python: string; readonly nodeModules: string | null }> {
  const environments = environmentsOf(config);
  const { python: needs, node } = dag.environment ?? {};
  const content = (path: string | undefined): Buffer | null => sources.find((source) => source.path === path)?.content ?? null;
  const manifest = content(node?.manifest);
  return {
    python: needs === undefined ? python : await environments.python(needs, python, say),
    nodeModules: manifest === null ? null : await environments.node({ manifest, lock: content(node?.lock) }, say),
  };
}

/** Parsers that stay warm until they are closed. */
export function openParsers(config: Config): WarmParsers {
  return openWarmParsers(bytecodeFolder(config));
}

function bytecodeFolder(config: Config): string {
  return join(homeFolder(config), 'bytecode');
}

function environmentsOf(config: Config): Environments {
  return new Environments(join(homeFolder(config), 'environments'), config.LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS);
}

/** One project folder. Settings are read once: make another when a leoflow.yaml was saved. */
export class ProjectCompiler {
  readonly project: Project;
  readonly #tools: CompileTools;
  readonly #environments: Environments;
  /** Warnings that are about the project are told with its first file. */
  readonly #told = new Set<string>();
  readonly #airflow = new Map<string, Promise<InstalledAirflow | null>>();
  /** What a file gave before its project had a say: another reading is held against that. */
  readonly #bare = new WeakMap<Compiled, { readonly compiled: Compiled; readonly request: CompileRequest }>();

  /** Throws `invalid_value` when the settings of the folder are wrong. */
  constructor(root: string, tools: CompileTools) {
    this.project = new Project(root);
    this.#tools = tools;
    this.#environments = environmentsOf(tools.config);
  }

  /** Whether the project's settings let the file hold DAGs. A leoflow.yaml below may be wrong: that is said for each file it speaks for. */
  includes(file: string): boolean {
    return unlessWrong(() => this.project.exclusionOf(file) === null, true);
  }

  /** Whether the project's settings have a file travel with the DAGs of another. */
  carries(file: string, path: string): boolean {
    return unlessWrong(() => this.project.carries(file, path), false);
  }

  /** What is wrong with the file, its settings or its packages is in the answer. @param file path below the root */
  async compile(file: string): Promise<Compiled> {
    const prepared = await this.prepare(file);
    if (prepared.kind === 'refused') return { dags: [], problems: prepared.problems, warnings: [] };
    const { layers, dependencies } = prepared;
    const { compiled, request } = await this.#compileWithSecrets(prepared.request);
    const dags: CompiledDag[] = [];
    const problems = [...compiled.problems];
    const about: CompileProblem[] = [];
    for (const one of compiled.dags) {
      const wanted = applyProject(one, layers);
      const included = withIncluded({ ...one, dag: withImportReads(withImportPaths(wanted.dag, request), request.secrets) }, { layers, root: request.root });
      problems.push(...wanted.problems, ...included.problems);
      about.push(...included.warnings);
      dags.push(withEnvironment(included.dag, dependencies));
    }
    const applied: Compiled = { ...compiled, dags, problems, warnings: [...compiled.warnings, ...leftOutWarnings(file, { ...compiled, dags }), ...this.#untold(about)] };
    this.#bare.set(applied, { compiled, request });
    return applied;
  }

  #untold(warnings: readonly CompileProblem[]): readonly CompileProblem[] {
    return warnings.filter(({ file, line, message }) => {
      const key = JSON.stringify([file, line, message]);
      return !this.#told.has(key) && this.#told.add(key);
    });
  }

  /** A file says what it lacks when it is imported; it is imported again with what was found, until it asks for nothing new. */
  async #compileWithSecrets(first: CompileRequest): Promise<{ readonly compiled: Compiled; readonly request: CompileRequest }> {
    let request = first;
    let compiled = await compileFile(request);
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const found = await this.#findSecrets(compiled.needed ?? []);
      if (found === null) break;
      request = { ...request, secrets: { variables: { ...request.secrets.variables, ...found.variables }, connections: { ...request.secrets.connections, ...found.connections } } };
      compiled = await compileFile(request);
    }
    return { compiled, request };
  }

  /** Null when nobody has any of them. */
  async #findSecrets(needed: readonly NeededSecret[]): Promise<ImportSecrets | null> {
    const { secrets } = this.#tools;
    const variables: Record<string, string> = {};
    const connections: Record<string, ConnectionValue> = {};
    for (const { kind, name } of needed) {
      if (kind === 'variable') {
        const value = findSecretVariable('VAR', name) ?? (await secrets?.findVariable(name)) ?? null;
        if (value !== null) variables[name] = value;
      } else {
        const connection = await secrets?.findConnection(name) ?? null;
        if (connection !== null) connections[name] = connection;
      }
    }
    return Object.keys(variables).length + Object.keys(connections).length === 0 ? null : { variables, connections };
  }

  /** One finding per DAG that differs when the file is read again under another clock and hash seed. */
  async findNondeterminism(file: string, first: Compiled): Promise<readonly CompileProblem[]> {
    const bare = this.#bare.get(first);
    if (bare === undefined) throw new AppError('bug', `${file} was not compiled here`);
    return findDifferences(bare.request, bare.compiled);
  }

  /** What a front end is asked for the file, or why it cannot be. */
  async prepare(file: string): Promise<Prepared> {
    const { config, python, say = () => undefined, prefix = '' } = this.#tools;
    const refused = (problems: readonly CompileProblem[]): Prepared => ({ kind: 'refused', problems });
    try {
      const layers = this.project.layersOf(file);
      const dependencies = readDependencies(layers);
      if (dependencies.problems.length > 0) return refused(dependencies.problems);
      const runtime = this.project.runtimeOf(file);
      const untested = wantsAirflow(runtime, dependencies) ? untestedPin(dependencies.python) : null;
      if (untested !== null) return refused([untestedProblem(layers, untested)]);
      const needs = await this.#pythonNeeds(dependencies, runtime);
      const interpreter = needs === null ? python : await this.#environments.python(needs, python, say);
      const nodeModules = dependencies.node === null ? null : await this.#environments.node(dependencies.node, say);
      const said = this.project.importPathsOf(file);
      const more = said.length > 0 ? said : (this.#tools.importPaths ?? []);
      const importPaths = prefix === '' ? more : [...new Set([join(this.project.root, prefix), ...more])];
      const request: CompileRequest = { root: this.project.root, file, python: interpreter, runtime, airflow: await this.#airflowOf(interpreter, runtime), importPaths, nodeModules, bytecode: bytecodeFolder(config), parsers: this.#tools.parsers ?? null, environment: userEnvironment(), secrets: { variables: {}, connections: {} }, importTimeoutSeconds: config.LEOFLOW_IMPORT_TIMEOUT_SECONDS };
      return { kind: 'ready', layers, dependencies: { ...dependencies, python: needs }, request };
    } catch (error) {
      if (!(error instanceof AppError) || !REFUSALS.has(error.code)) throw error;
      return refused([{ file, line: null, column: null, message: error.message, hint: error.hint }]);
    }
  }

  /** With Airflow's own packages, where they are wanted. A project without any needs none when the interpreter holds Airflow already. */
  async #pythonNeeds(dependencies: Dependencies, runtime: ProjectRuntime): Promise<Dependencies['python']> {
    const { python: said } = dependencies;
    if (!wantsAirflow(runtime, dependencies)) return said;
    return said === null && await this.#airflowOf(this.#tools.python, runtime) !== null ? null : withAirflow(said);
  }

  /** Asked once per interpreter: an environment that is made stays as it is. */
  #airflowOf(python: string, runtime: ProjectRuntime): Promise<InstalledAirflow | null> {
    if (runtime === 'leoflow') return Promise.resolve(null);
    const asked = this.#airflow.get(python) ?? findAirflow(python);
    this.#airflow.set(python, asked);
    return asked;
  }
}

type Prepared =
  | { readonly kind: 'refused'; readonly problems: readonly CompileProblem[] }
  | { readonly kind: 'ready'; readonly request: CompileRequest; readonly layers: readonly ProjectLayer[]; readonly dependencies: Dependencies };

function unlessWrong(ask: () => boolean, otherwise: boolean): boolean {
  try {
    return ask();
  } catch (error) {
    if (error instanceof AppError) return otherwise;
    throw error;
  }
}

/** Files that the code names and that no DAG got in another way, each once. */
function leftOutWarnings(file: string, { leftOut = [], dags }: Pick<Compiled, 'leftOut' | 'dags'>): readonly CompileProblem[] {
  const travels = (path: string): boolean => dags.every(({ sources }) => sources.some((source) => source.path === path || (path.endsWith('/') && source.path.startsWith(path))));
  const named = leftOut.filter(({ path }, index) => !travels(path) && leftOut.findIndex((one) => one.path === path) === index);
  return named.map(({ path, file: from, line, why }) => ({
    file: from ?? file, line: line === 0 ? null : line, column: null, message: `${path} does not travel with the version: ${why}`,
    hint: path.startsWith('../') ? 'Name it in include_files, or code in import_paths, of the leoflow.yaml of a folder that holds both.' : 'If tasks need it, name it in include_files of leoflow.yaml, or let them read it from a place that all machines share.',
  }));
}

/** Whether an environment is to hold the Task SDK. */
function wantsAirflow(runtime: ProjectRuntime, { python }: Dependencies): boolean {
  return runtime === 'airflow' || (runtime === 'auto' && namesAirflow(python));
}

/** A project that pins a release of Airflow which is not tested. */
function untestedProblem(layers: readonly ProjectLayer[], pin: string): CompileProblem {
  const layer = layers.findLast((one) => one.settings.dependencies?.python !== undefined);
  const place = layer?.placeOf(['dependencies', 'python']);
  return { file: layer?.path ?? '', line: place?.line ?? null, column: place?.column ?? null, message: `${pin}: runtime airflow is tested with Airflow ${TESTED_LINE}`, hint: `Pin apache-airflow==${AIRFLOW_VERSION}, or say runtime: leoflow.` };
}

/** Names only: who imports the file elsewhere looks the values up there. */
function withImportReads(dag: Dag, { variables, connections }: ImportSecrets): Dag {
  const [keys, ids] = [Object.keys(variables).sort(), Object.keys(connections).sort()];
  if (keys.length + ids.length === 0) return dag;
  return { ...dag, import_reads: { ...(keys.length === 0 ? {} : { variables: keys }), ...(ids.length === 0 ? {} : { connections: ids }) } };
}

/** Those at the top are imported from anyway. */
function withImportPaths(dag: Dag, { root, importPaths }: CompileRequest): Dag {
  const inside = importPaths.map((path) => relative(root, path)).filter((path) => path !== '');
  return inside.length === 0 ? dag : { ...dag, import_paths: inside };
}

/** The packages belong to the version: what is built from them is the same wherever it runs. */
function withEnvironment(one: CompiledDag, { python, node }: Dependencies): CompiledDag {
  if (python === null && node === null) return one;
  const files = node === null ? [] : [{ path: MANIFEST, content: node.manifest }, ...(node.lock === null ? [] : [{ path: LOCK, content: node.lock }])];
  const added = files.filter(({ path }) => !one.dag.sources.some((source) => source.path === path));
  const environment: Dag['environment'] = {
    ...(python === null ? {} : { python }),
    ...(node === null ? {} : { node: { manifest: MANIFEST, ...(node.lock === null ? {} : { lock: LOCK }) } }),
  };
  return {
    dag: { ...one.dag, environment, sources: [...one.dag.sources, ...added.map(({ path, content }) => ({ path, sha256: createHash('sha256').update(content).digest('hex') }))] },
    sources: [...one.sources, ...added],
  };
}
