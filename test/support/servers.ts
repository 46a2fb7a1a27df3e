// Real `leoflow server` processes on one database and one home folder, and DAGs whose tasks wait for a file.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePython } from '#compile/from-python.ts';
import { killProcess } from '#platform/exec.ts';
import { registerVersion } from '#store/dag-versions.ts';
import { createRun } from '#store/dag-runs.ts';
import type { Database } from '#store/database.ts';
import { type Running, startLeoflow, temporaryFolder } from './cli.ts';
import { testDatabase } from './database.ts';
import { processesOf } from './processes.ts';
import { BARE_REQUEST } from './compile-request.ts';

const LIMIT_MS = 30_000;

/** A server process and where it answers. */
export interface ServerProcess extends Running { readonly url: string }

/** One database, one home folder (unless a server is given another), any number of servers. */
export class ServersUnderTest implements AsyncDisposable {
  readonly database: Database;
  readonly place = temporaryFolder();
  readonly home = join(this.place.path, 'h');
  readonly marks = join(this.place.path, 'm');
  readonly #servers: ServerProcess[] = [];
  readonly #homes = new Set<string>();

  private constructor(database: Database) {
    this.database = database;
    mkdirSync(this.marks);
  }

  static async open(): Promise<ServersUnderTest> {
    return new ServersUnderTest(await testDatabase());
  }

  /** Starts a server; resolves when it answers. */
  async start(env: Readonly<Record<string, string>> = {}, home = this.home): Promise<ServerProcess> {
    this.#homes.add(home);
    const running = startLeoflow(home, ['server', '--port', '0', '--home', home], { LEOFLOW_DATABASE_URL: this.database.url, LEOFLOW_PYTHON: 'python3', MARKS: this.marks, ...env });
    const { url } = JSON.parse(await running.until('"server.ready"')) as { url: string };
    const server = { ...running, url };
    this.#servers.push(server);
    return server;
  }

  /** Registers a DAG `d` with these task functions (indented by four) and starts a run of it. @returns the run's UUID */
  async trigger(tasks: string): Promise<string> {
    const root = join(this.place.path, 'dags');
    mkdirSync(root, { recursive: true });
    const head = 'import os, time\nfrom airflow.sdk import dag, task\ndef path(name):\n    return os.path.join(os.environ["MARKS"], name)\ndef mark(name, text="1"):\n    with open(path(name) + ".new", "w") as file:\n        file.write(str(text))\n    os.rename(path(name) + ".new", path(name))\ndef wait(name):\n    while not os.path.exists(path(name)):\n        time.sleep(0.01)\n';
    writeFileSync(join(root, 'd.py'), `${head}@dag(schedule=None)\ndef d():\n${tasks}\n\nd()\n`);
    const compiled = await compilePython({ root, file: 'd.py', python: 'python3', ...BARE_REQUEST });
    const [one] = compiled.dags;
    assert.ok(one, JSON.stringify(compiled.problems));
    await registerVersion(this.database, { dag: one.dag, sources: one.sources, bundle: 'test', active: true, parseMs: null, next: null, timetable: { summary: null, description: null } });
    const created = await createRun(this.database, { dagId: 'd', runId: `manual__${Math.round(performance.now())}`, runType: 'manual', logicalDate: null, interval: null, runAfter: this.database.clock.nowMs(), conf: {}, triggeredBy: 'cli', user: null, note: null });
    return created.kind === 'created' ? created.run.id : assert.fail(created.kind);
  }

  /** A file that tasks wait for. */
  mark(name: string): void {
    writeFileSync(join(this.marks, name), '1');
  }

  /** What a task left under this name, as soon as it is there. */
  async untilMarked(name: string): Promise<string> {
    const path = join(this.marks, name);
    await this.until(() => Promise.resolve(existsSync(path)), name);
    return readFileSync(path, 'utf8');
  }

  async rows(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.database.pool.query<Record<string, unknown>>(text, [...values])).rows;
  }

  async untilRun(run: string, state: string): Promise<void> {
    await this.until(async () => (await this.rows('select state from dag_runs where id = $1', [run]))[0]?.['state'] === state, `run ${state}`);
  }

  /** Asks until it holds: what other processes do cannot be driven from here. */
  async until(holds: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS;
    while (!(await holds())) {
      assert.ok(performance.now() < deadline, `waited ${LIMIT_MS} ms for: ${what}; ${this.#servers.map((server) => server.read().out.slice(-2000)).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) if (server.child.exitCode === null && server.child.signalCode === null) await server.stop('SIGKILL');
    // What a killed server leaves running.
    for (const home of this.#homes) for (const pid of [processesOf(home).launcher, ...processesOf(home).forkServers]) if (pid !== undefined && pid > 0) killProcess(pid, 'SIGKILL');
    await this.database.close();
    this.place.remove();
  }
}
