// Compiles the DAG files of one project: its settings applied, its environments built when they are missing.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { homeFolder, userEnvironment } from '#platform/config.ts';
import { Environments } from '#platform/environments.ts';
import { compileFile, findDifferences } from '#compile/compile-file.ts';
import type { Compiled, CompiledDag, CompileProblem, CompileRequest } from '#compile/compiled.ts';
import { type Dependencies, LOCK, MANIFEST, readDependencies } from '#compile/dependencies.ts';
import { applyProject, type Project, readProject } from '#compile/project.ts';
import type { ProjectLayer } from '#compile/project-file.ts';

/** `python` is the interpreter of files whose project names no packages; `say` hears of environments being built. */
export interface CompileTools {
  readonly config: Config;
  readonly python: string;
  readonly say?: (text: string) => void;
}

/** One project folder. Settings are read once: make another when a leoflow.yaml was saved. */
export class ProjectCompiler {
  readonly project: Project;
  readonly #tools: CompileTools;
  readonly #environments: Environments;
  /** What a file gave before its project had a say: another reading is held against that. */
  readonly #bare = new WeakMap<Compiled, Compiled>();

  /** Throws `invalid_value` when the settings of the folder are wrong. */
  constructor(root: string, tools: CompileTools) {
    this.project = readProject(root);
    this.#tools = tools;
    this.#environments = new Environments(join(homeFolder(tools.config), 'environments'), tools.config.LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS);
  }

  /** Whether the project's settings let the file hold DAGs. */
  includes(file: string): boolean {
    return this.project.includes(file);
  }

  /** What is wrong with the file, its settings or its packages is in the answer. @param file path below the root */
  async compile(file: string): Promise<Compiled> {
    const prepared = await this.prepare(file);
    if (prepared.kind === 'refused') return { dags: [], problems: prepared.problems, warnings: [] };
    const { request, layers, dependencies } = prepared;
    const compiled = await compileFile(request);
    const dags: CompiledDag[] = [];
    const problems = [...compiled.problems];
    for (const one of compiled.dags) {
      const wanted = applyProject(one.dag, layers);
      problems.push(...wanted.problems);
      dags.push(withEnvironment({ ...one, dag: wanted.dag }, dependencies));
    }
    const applied: Compiled = { ...compiled, dags, problems };
    this.#bare.set(applied, compiled);
    return applied;
  }

  /** One finding per DAG that differs when the file is read again under another clock and hash seed. */
  async findNondeterminism(file: string, first: Compiled): Promise<readonly CompileProblem[]> {
    const prepared = await this.prepare(file);
    return prepared.kind === 'refused' ? prepared.problems : findDifferences(prepared.request, this.#bare.get(first) ?? first);
  }

  /** What a front end is asked for the file, or why it cannot be. */
  async prepare(file: string): Promise<Prepared> {
    const { config, python, say = () => undefined } = this.#tools;
    const refused = (problems: readonly CompileProblem[]): Prepared => ({ kind: 'refused', problems });
    try {
      const layers = this.project.layersOf(file);
      const dependencies = readDependencies(layers);
      if (dependencies.problems.length > 0) return refused(dependencies.problems);
      if (this.project.runtimeOf(file) === 'airflow') return refused([runtimeProblem(layers)]);
      const interpreter = dependencies.python === null ? python : await this.#environments.python(dependencies.python, python, say);
      const nodeModules = dependencies.node === null ? null : await this.#environments.node(dependencies.node, say);
      const request: CompileRequest = { root: this.project.root, file, python: interpreter, nodeModules, bytecode: join(homeFolder(config), 'bytecode'), environment: userEnvironment(), importTimeoutSeconds: config.LEOFLOW_IMPORT_TIMEOUT_SECONDS };
      return { kind: 'ready', layers, dependencies, request };
    } catch (error) {
      if (!(error instanceof AppError) || (error.code !== 'dependencies_failed' && error.code !== 'invalid_value')) throw error;
      return refused([{ file, line: null, column: null, message: error.message, hint: error.hint }]);
    }
  }
}

type Prepared =
  | { readonly kind: 'refused'; readonly problems: readonly CompileProblem[] }
  | { readonly kind: 'ready'; readonly request: CompileRequest; readonly layers: readonly ProjectLayer[]; readonly dependencies: Dependencies };

function runtimeProblem(layers: readonly ProjectLayer[]): CompileProblem {
  const layer = layers.findLast((one) => one.settings.runtime !== undefined);
  return { file: layer?.path ?? '', line: layer?.placeOf(['runtime']).line ?? null, column: layer?.placeOf(['runtime']).column ?? null, message: 'runtime: airflow: this version runs DAG files with its own runtime only', hint: 'Remove the line; `leoflow assess DIR` says which files that covers.' };
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
