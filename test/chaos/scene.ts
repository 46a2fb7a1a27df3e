// One fault's stage: servers of ours on a database of their own, each behind a proxy, with work on its way.
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledDag } from '#compile/compiled.ts';
import { ProjectCompiler } from '#cli/project-compiler.ts';
import { registerDag } from '#main/register-dag.ts';
import { monotonicMs, sleep, wallMs } from '#platform/clock.ts';
import { readConfig } from '#platform/config.ts';
import { killProcess } from '#platform/exec.ts';
import { type Database, isUnavailable, openDatabase } from '#store/database.ts';
import { childrenOf, processesOf } from '../support/processes.ts';
import type { Cluster } from './cluster.ts';
import { Ledger, Load, type Mix } from './load.ts';
import { type Program, Proxy, PYTHON, RUNTIME, startServer } from './programs.ts';

const DAGS = join(import.meta.dirname, 'dags');
const SHAPE = join(import.meta.dirname, 'shape.json');

/** A server and the proxy through which alone it reaches the database. */
export interface Member {
  readonly name: string;
  server: Program;
  readonly proxy: Proxy;
}

/** `servers` run at once; `preload` is loaded into each. */
export interface SceneOptions {
  readonly servers: number;
  readonly mix: Mix;
  readonly preload?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

let compiled: Promise<readonly CompiledDag[]> | null = null;

/** It opens and closes files while we look. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

/** The end of a fork server's id, as its socket is called; null when it does not listen: then it has been given nothing. */
function forkServerNameOf(pid: number): string | null {
  try {
    const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`)));
    for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
      const [, inode = '', name] = /\s(\d+) \/.*\/f([^/]+)\.sock$/.exec(line) ?? [];
      if (name !== undefined && own.has(`socket:[${inode}]`)) return name;
    }
  } catch {
    // It has just ended.
  }
  return null;
}

/** The DAGs of the proof, compiled once. */
async function compileDags(): Promise<readonly CompiledDag[]> {
  const dags: CompiledDag[] = [];
  const root = mkdtempSync(join(tmpdir(), 'lc-dags-'));
  cpSync(DAGS, root, { recursive: true });
  writeFileSync(join(root, 'leoflow.yaml'), `runtime: ${RUNTIME}\n`);
  const compiler = new ProjectCompiler(root, { config: readConfig({ LEOFLOW_HOME: root }, {}), python: PYTHON });
  for (const file of ['chaos.py', 'broken.py', 'exits.py']) {
    const done = await compiler.compile(file);
    if (done.problems.length > 0) throw new Error(JSON.stringify(done.problems));
    dags.push(...done.dags);
  }
  return dags;
}

/** Opened once per fault. */
export class Scene {
  readonly folder: string;
  readonly home: string;
  readonly cluster: Cluster;
  readonly databaseName: string;
  /** Reaches the database past every proxy. */
  readonly database: Database;
  readonly ledger: Ledger;
  readonly load: Load;
  readonly members: Member[] = [];
  /** Undone when it is closed, after everything was read. */
  readonly closers: (() => Promise<void> | void)[] = [];
  readonly #options: SceneOptions;

  private constructor(cluster: Cluster, name: string, options: SceneOptions) {
    this.cluster = cluster;
    this.databaseName = name;
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'lc-'));
    this.home = join(this.folder, 'h');
    mkdirSync(join(this.home, 'logs', 'executions'), { recursive: true });
    symlinkSync(join(this.home, 'logs', 'executions'), join(this.folder, 'logs'));
    copyFileSync(SHAPE, join(this.folder, 'shape.json'));
    this.database = openDatabase(cluster.urlOf(name));
    this.ledger = new Ledger(join(this.folder, 'ledger'));
    this.load = new Load(this.database, join(this.folder, 'driver'));
  }

  static async open(cluster: Cluster, options: SceneOptions): Promise<Scene> {
    compiled ??= compileDags();
    const scene = new Scene(cluster, await cluster.makeDatabase(), options);
    try {
      await scene.database.pool.query("insert into pools (name, slots) values ('narrow', 2)");
      for (const dag of await compiled) await registerDag(scene.database, dag, { bundle: 'chaos', active: true, parseMs: null });
      for (let number = 0; number < options.servers; number += 1) await scene.#addMember(`s${number}`);
      await scene.untilLed();
      return scene;
    } catch (error) {
      await scene.close(true);
      throw error;
    }
  }

  async #addMember(name: string): Promise<void> {
    const proxy = await Proxy.start(this.cluster.socketFile, join(this.folder, `${name}.proxy.log`));
    const member: Member = { name, proxy, server: this.#start(name, proxy) };
    this.members.push(member);
    await member.server.until((line) => line['event'] === 'server.ready', `${name} is ready`);
  }

  #start(name: string, proxy: Proxy): Program {
    const { preload, settings } = this.#options;
    return startServer({
      name, home: this.home, databaseUrl: proxy.urlOf(this.databaseName), ledger: join(this.folder, 'ledger'), logFile: join(this.folder, `${name}.log`),
      ...(preload === undefined ? {} : { preload }), ...(settings === undefined ? {} : { settings }),
    });
  }

  /** Starts a server anew where one has ended. Resolves when it answers. */
  async revive(member: Member): Promise<void> {
    await member.proxy.set({ mode: 'forward' });
    member.server = this.#start(member.name, member.proxy);
    await member.server.until((line) => line['event'] === 'server.ready', `${member.name} is ready again`);
  }

  /** Who led last, by the database. Throws when it is none of ours. */
  async leader(): Promise<{ member: Member; epoch: number }> {
    const [row] = await this.rows('select epoch, holder from leader');
    const pid = Number(String(row?.['holder']).split(':').at(-1));
    const member = this.members.find((one) => one.server.pid === pid);
    if (member === undefined) throw new Error(`nobody here is ${String(row?.['holder'])}`);
    return { member, epoch: Number(row?.['epoch']) };
  }

  async follower(): Promise<Member> {
    const { member } = await this.leader();
    const other = this.members.find((one) => one !== member && one.server.isRunning);
    if (other === undefined) throw new Error('there is no follower');
    return other;
  }

  /** Rows by plain SQL, past every proxy; asked again while the database is away. */
  async rows(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    for (;;) {
      try {
        return (await this.database.pool.query<Record<string, unknown>>(text, [...values])).rows;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        await sleep(50);
      }
    }
  }

  async untilLed(): Promise<void> {
    await this.until(async () => {
      const [row] = await this.rows('select holder from leader');
      const pid = Number(String(row?.['holder']).split(':').at(-1));
      return this.members.some((one) => one.server.pid === pid && one.server.said.some((line) => line['event'] === 'leader.ready'));
    }, 'a server leads');
  }

  /** Looks every 20 ms. @returns false when the limit passed first */
  async until(holds: () => Promise<boolean> | boolean, what: string, limitMs = 60_000): Promise<void> {
    const deadline = monotonicMs() + limitMs;
    while (!(await holds())) {
      if (monotonicMs() > deadline) throw new Error(`waited ${limitMs} ms for: ${what} (${this.folder})`);
      await sleep(20);
    }
  }

  get processes(): ReturnType<typeof processesOf> {
    return processesOf(this.home);
  }

  /** Kills a process and writes down what dies of it: an execution that ran there may be lost, and no other. @returns when */
  kill(pid: number): number {
    const note = this.prepareKill(pid);
    killProcess(pid, 'SIGKILL');
    return note();
  }

  /** Who dies when a process is killed. @returns writes down that it was, and when */
  prepareKill(pid: number): () => number {
    const { forkServers } = this.processes;
    const pids = [pid];
    for (const one of pids) pids.push(...childrenOf(one));
    const above = forkServers.find((one) => childrenOf(one).includes(pid));
    const line = { kind: 'killed', pids, fork_servers: forkServers.filter((one) => pids.includes(one)).flatMap((one) => forkServerNameOf(one) ?? []), child_of: above === undefined ? null : forkServerNameOf(above) };
    return () => {
      const at = wallMs();
      this.load.note({ ...line, at: at / 1000 });
      return at;
    };
  }

  /** Ends every program of it. With `keep` the folder stays for whoever asks what happened. */
  async close(keep: boolean): Promise<void> {
    for (const { server, proxy } of this.members) {
      killProcess(server.pid, 'SIGCONT');
      if (proxy.program.isRunning) await proxy.set({ mode: 'forward' });
    }
    for (const { server } of this.members) await server.end('SIGTERM', 10_000);
    for (const { proxy } of this.members) await proxy.program.end('SIGKILL');
    await this.load.stop();
    const { launcher } = this.processes;
    if (launcher > 0) killProcess(launcher, 'SIGKILL');
    await this.database.close();
    for (const undo of this.closers) await undo();
    if (!keep && existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }
}
