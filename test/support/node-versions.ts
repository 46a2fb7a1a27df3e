// Versions of DAGs in TypeScript for the real process executor: compiled as `leoflow compile` does, their sources laid out as a server does.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compileTypeScript } from '#compile/from-typescript.ts';
import { type Compiled, renderProblem } from '#compile/compiled.ts';
import type { VersionId } from '#contract/ids.ts';
import type { PreparedVersion } from '#executor/executor.ts';
import { ProcessesUnderTest } from './processes.ts';
import { BARE_REQUEST } from './compile-request.ts';

/** Compiles files of a project; the first one is the DAG's. */
export async function compileFiles(files: Readonly<Record<string, string>>, file = Object.keys(files)[0] ?? ''): Promise<Compiled> {
  const root = mkdtempSync(join(tmpdir(), 'lf-ts-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return await compileTypeScript({ root, file, python: 'python3', ...BARE_REQUEST });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** An executor whose versions are DAGs in TypeScript, all named `d`. */
export class NodeVersions implements AsyncDisposable {
  readonly processes: ProcessesUnderTest;
  readonly #prepared: Map<VersionId, PreparedVersion>;

  private constructor(processes: ProcessesUnderTest, prepared: Map<VersionId, PreparedVersion>) {
    this.processes = processes;
    this.#prepared = prepared;
  }

  static async open(how: { readonly parkedNode?: number; readonly parkedPython?: number } = {}): Promise<NodeVersions> {
    const prepared = new Map<VersionId, PreparedVersion>();
    const processes = await ProcessesUnderTest.open({ parked: { python: how.parkedPython ?? 0, node: how.parkedNode ?? 1 }, prepare: (id) => Promise.resolve(prepared.get(id) ?? assert.fail('an unknown version')) });
    return new NodeVersions(processes, prepared);
  }

  /** A version of a file that draws the DAG `d`. */
  async version(source: string): Promise<VersionId> {
    const { dags, problems } = await compileFiles({ 'dag.ts': source });
    const [compiled] = dags;
    assert.ok(compiled !== undefined, problems.map(renderProblem).join('\n'));
    const id = this.processes.version('');
    const root = join(this.processes.home, 'versions', id);
    for (const { path, content } of compiled.sources) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    this.#prepared.set(id, { versionId: id, dagId: 'd', root, dagFile: 'dag.ts', path: [], python: null, node: null, runtimes: ['node'], nodeModules: ['dag.ts'] });
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.processes[Symbol.asyncDispose]();
  }
}

/** A file that draws the DAG `d` with these tasks, each called once. `mark` writes what the test waits for. */
export function nodeSource(tasks: Readonly<Record<string, string>>, head = ''): string {
  const drawn = Object.entries(tasks).map(([id, body]) => `  task('${id}', async (_, ctx): Promise<unknown> => {\n${body}\n  })();`).join('\n');
  return `import { renameSync, writeFileSync } from 'node:fs';\nimport { join } from 'node:path';\nimport { dag } from 'leoflow';\n${head}\nexport function mark(name: string, text: unknown = '1'): void {\n  const path = join(process.env['MARKS'] ?? '', name);\n  writeFileSync(path + '.new', String(text));\n  renameSync(path + '.new', path);\n}\ndag('d', {}, ({ task }) => {\n${drawn}\n});\n`;
}
