// Tries tasks out in the foreground: each in a process of its own that has the terminal, planned in memory, with nothing kept.
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { AttemptService, ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import type { AttemptId, ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { manualInterval } from '#core/timetable.ts';
import { isRetryEligible } from '#core/retry.ts';
import { type Instance, upstreamLengths } from '#core/run-snapshot.ts';
import { TrialRun } from '#core/trial-run.ts';
import { isoOf, sleep, wallMs } from '#platform/clock.ts';
import { userEnvironment } from '#platform/config.ts';
import { ownNode } from '#platform/environments.ts';
import { runAttached } from '#platform/exec.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { renderSeconds } from './output.ts';
import type { ViewedXCom } from './run-view.ts';
import { createTrialSecrets, type TrialSecrets } from './trial-secrets.ts';
import type { Given } from './trial-values.ts';

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');
const NODE_FOLDER = join(import.meta.dirname, '..', 'node');
const NODE_PROGRAM = join(NODE_FOLDER, existsSync(join(NODE_FOLDER, 'attached-task.ts')) ? 'attached-task.ts' : 'attached-task.js');
const LIMITS = { maxMapLength: 1024, infraRetries: 0, infraRetryDelayMs: 0 };
/** A retry is not waited for, since its delay says nothing about the task; a sensor's next look is, up to this. */
const LONGEST_WAIT_MS = 10_000;

/** Where and how tasks are tried. `folder` is an empty one that the caller removes. */
export interface TrialPlace {
  readonly chosen: CompiledDag;
  readonly root: string;
  readonly folder: string;
  readonly python: string;
  readonly nodeModules: string | null;
  readonly given: Given;
  readonly debug: boolean;
  /** Standard output is for the result: what tasks print goes to standard error. */
  readonly isQuiet: boolean;
  readonly xcomMaxBytes: number;
  /** Serves the agent protocol on a socket; the composition root has it. */
  readonly startAgent: (socketPath: string, service: AttemptService) => Promise<{ close(): Promise<void> }>;
  readonly say: (text: string) => void;
  readonly stop: AbortSignal;
}

interface ChildProgram { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }

/** One instance that ran. */
export interface TriedInstance {
  readonly instance: Instance;
  readonly report: ExecutionReport;
}

/** A DAG being tried out. `close` ends what it started. */
export class Trial {
  readonly #place: TrialPlace;
  readonly #dag: Dag;
  readonly #runId = `test__${isoOf(wallMs())}`;
  readonly #secrets: TrialSecrets;
  readonly #xcoms = new Map<string, string>();
  #expected: { readonly token: string; take: (report: ExecutionReport) => void } | null = null;
  #agent: { close(): Promise<void> } | null = null;

  constructor(place: TrialPlace) {
    this.#place = place;
    this.#dag = place.chosen.dag;
    this.#secrets = createTrialSecrets(this.#dag, place.given);
    for (const [name, text] of place.given.xcoms) this.#xcoms.set(name, text);
  }

  /** Opens the agent's socket and lays the version's files out. */
  async open(): Promise<void> {
    const { folder, chosen } = this.#place;
    const socket = join(folder, 'agent.sock');
    for (const { path, content } of chosen.sources) {
      const target = join(folder, 'version', path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
    }
    if (this.#place.nodeModules !== null) symlinkSync(this.#place.nodeModules, join(folder, 'version', 'node_modules'));
    this.#agent = await this.#place.startAgent(socket, this.#service());
    writeFileSync(join(folder, 'agent.json'), JSON.stringify({ socket }));
  }

  async close(): Promise<void> {
    await this.#agent?.close();
    rmSync(join(this.#place.folder, 'version'), { recursive: true, force: true });
  }

  /** Values pushed so far and given, for people. */
  get pushed(): readonly ViewedXCom[] {
    return [...this.#xcoms].map(([name, text]) => {
      const [taskId = '', key = '', index] = name.split('/');
      return { taskId, key, mapIndex: index === undefined ? -1 : Number(index), text };
    });
  }

  /** Runs the whole DAG, one instance after the other. */
  async runAll(onEnd: (tried: TriedInstance) => void): Promise<TrialRun> {
    const trial = this.#newRun();
    while (trial.state === 'running') {
      if (this.#place.stop.aborted) throw new AppError('interrupted', 'interrupted');
      const instance = trial.begin(wallMs());
      if (instance !== null) {
        const report = await this.#execute(trial, instance);
        trial.end(instance, report, wallMs());
        onEnd({ instance, report });
      } else if (!(await this.#wait(trial))) break;
    }
    return trial;
  }

  /** Runs one task whatever its upstream tasks would have done; of a mapped one every index, or the one asked for. */
  async runTask(taskId: string, mapIndex: number | null, onEnd: (tried: TriedInstance) => void): Promise<readonly TriedInstance[]> {
    const trial = this.#newRun();
    const found: TriedInstance[] = [];
    for (const instance of this.#instancesOf(trial, taskId, mapIndex)) {
      const report = await this.#execute(trial, instance);
      found.push({ instance, report });
      onEnd({ instance, report });
    }
    return found;
  }

  /** A mapped task's instances are made by pretending that everything before it succeeded with the values given. */
  #instancesOf(trial: TrialRun, taskId: string, mapIndex: number | null): readonly Instance[] {
    const own = (): readonly Instance[] => trial.instances.filter((instance) => instance.task.id === taskId);
    const isMapped = own().some((instance) => instance.task.expands.length > 0);
    if (!isMapped) return own();
    const pretended: ExecutionReport['xcoms'] = [];
    for (let instance = trial.begin(wallMs()); instance !== null; instance = trial.begin(wallMs())) {
      if (instance.task.id === taskId) continue;
      const xcoms = [...this.#xcoms].filter(([name]) => name.startsWith(`${instance.task.id}/`)).map(([name, value]) => ({ key: name.split('/')[1] ?? '', value, mapped_length: lengthOf(value) }));
      trial.end(instance, { execution_id: '' as ExecutionId, outcome: 'success', xcoms: [...pretended, ...xcoms], started_at: '', ended_at: '' }, wallMs());
    }
    const made = own().filter((instance) => instance.mapIndex >= 0 && (mapIndex === null || instance.mapIndex === mapIndex));
    if (made.length > 0) return made;
    if (mapIndex !== null && own().some((instance) => instance.mapIndex >= 0)) throw new AppError('not_found', `${taskId} has no map index ${mapIndex}`, { hint: `It has ${own().length}: 0 to ${own().length - 1}.` });
    const sources = [...new Set((trial.run.graph.dag.tasks.find((task) => task.task_id === taskId)?.inputs ?? []).map((input) => input.task_id))];
    throw new AppError('invalid_value', `how many instances ${taskId} has is not known: it is mapped over ${sources.join(', ') || 'what is not given'}`, { hint: `Give the value: ${sources.map((id) => `--xcom '${id}=[…]'`).join(' ') || '--with FILE'}.` });
  }

  #newRun(): TrialRun {
    return new TrialRun({ dag: this.#dag, runId: this.#runId, logicalDate: this.#place.given.logicalDate, now: wallMs(), limits: LIMITS });
  }

  /** @returns false when nothing will wake */
  async #wait(trial: TrialRun): Promise<boolean> {
    const wake = trial.nextWake;
    if (wake === null) return false;
    const retried = trial.instances.find((instance) => instance.state === 'up_for_retry' && instance.wakeAt === wake);
    const waitMs = retried !== undefined ? 0 : Math.min(Math.max(0, wake - wallMs()), LONGEST_WAIT_MS);
    if (retried !== undefined) this.#place.say(`  the wait of ${renderSeconds((wake - (retried.endedAt ?? wake)) / 1000)} before the next try is left out\n`);
    await sleep(waitMs, this.#place.stop);
    trial.wake(Math.max(wake, wallMs()));
    return true;
  }

  async #execute(trial: TrialRun, instance: Instance): Promise<ExecutionReport> {
    const started = isoOf(wallMs());
    const { body } = instance.task.task;
    const base = { execution_id: randomUUID() as ExecutionId, started_at: started };
    if (body.kind === 'empty') return { ...base, outcome: 'success', ended_at: started };
    const token = randomUUID();
    let report: ExecutionReport | null = null;
    this.#expected = { token, take: (taken) => void (report = taken) };
    const job = join(this.#place.folder, 'job.json');
    const spec = this.#specOf(trial, { instance, token, id: base.execution_id });
    writeFileSync(job, JSON.stringify({ fork_server: this.#home(), spec, debug: this.#place.debug }), { mode: 0o600 });
    const child = body.kind === 'node' ? this.#nodeChild(job) : this.#pythonChild(job);
    const ended = await runAttached(child.command, child.args, { cwd: body.kind === 'node' ? this.#place.root : PYTHON_FOLDER, env: child.env, signal: this.#place.stop, ...(this.#place.isQuiet ? { output: 'stderr' } : {}) });
    this.#expected = null;
    const taken = report as ExecutionReport | null;
    if (taken === null) {
      const how = ended.signal === null ? `status ${ended.status}` : ended.signal;
      return { ...base, outcome: 'failed', error: { type: 'EndedWithoutReport', message: `its process ended with ${how} before it reported` }, ended_at: isoOf(wallMs()) };
    }
    for (const { key, value } of taken.xcoms ?? []) this.#xcoms.set([instance.task.id, key, ...(instance.mapIndex < 0 ? [] : [instance.mapIndex])].join('/'), value);
    return taken;
  }

  #pythonChild(job: string): ChildProgram {
    return { command: this.#place.python, args: ['-m', 'leoflow.agent.attached', job], env: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER, PYTHONUNBUFFERED: '1' } };
  }

  #nodeChild(job: string): ChildProgram {
    return { command: (this.#place.nodeModules === null ? null : ownNode(this.#place.nodeModules)) ?? process.execPath, args: [...(this.#place.debug ? ['--inspect-wait=127.0.0.1:9229'] : []), NODE_PROGRAM, job], env: userEnvironment() };
  }

  /** Python files are run where they lie, so that a debugger shows them; others beside their compiled form. */
  #home(): Readonly<Record<string, unknown>> {
    const { folder, root } = this.#place;
    const isPython = this.#dag.fileloc.endsWith('.py');
    return { cwd: root, root: isPython ? root : join(folder, 'version'), dag_file: this.#dag.fileloc, dag_id: this.#dag.dag_id, path: [...(isPython ? [] : [root]), ...(this.#dag.import_paths ?? []).map((path) => join(root, path))], address_file: join(folder, 'agent.json'), import_secrets: this.#secrets.readForImport() };
  }

  #specOf(trial: TrialRun, { instance, token, id }: { readonly instance: Instance; readonly token: string; readonly id: ExecutionId }): ExecutionSpec {
    const { given } = this.#place;
    const now = isoOf(wallMs());
    const interval = given.logicalDate === null ? null : manualInterval(this.#dag.timetable, given.logicalDate);
    const iso = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : isoOf(ms));
    const { task } = instance.task;
    const lengths = upstreamLengths(trial.run, instance);
    return {
      execution_id: id, attempt_id: id as unknown as AttemptId, token, dag_id: this.#dag.dag_id, version_id: 'test' as VersionId, task_id: instance.task.id, map_index: instance.mapIndex,
      try_number: Math.max(1, instance.tryNumber), max_tries: instance.maxTries, may_retry: isRetryEligible(Math.max(1, instance.tryNumber), instance.maxTries, task.retries ?? 0),
      run: {
        id: 'test' as RunUuid, run_id: this.#runId, run_type: 'manual', logical_date: iso(given.logicalDate), data_interval_start: iso(interval?.start), data_interval_end: iso(interval?.end),
        run_after: now, start_date: now, queued_at: now, conf: given.conf, triggering_user_name: null,
      },
      ...(lengths === null ? {} : { lengths }), xcom_max_bytes: this.#dag.xcom?.max_bytes ?? this.#place.xcomMaxBytes, first_start: now,
      ...(task.env === undefined ? {} : { env: task.env }), ...(task.execution_timeout_seconds === undefined || this.#place.debug ? {} : { execution_timeout_seconds: task.execution_timeout_seconds }),
    };
  }

  #service(): AttemptService {
    const secrets = this.#secrets;
    const check = (token: string): void => {
      if (this.#expected?.token !== token) throw new AppError('stale', 'this execution is not the one that is tried');
    };
    return {
      park: () => Promise.resolve(null),
      report: (token, report) => {
        check(token);
        this.#expected?.take(report);
        return Promise.resolve({ kind: 'recorded' });
      },
      findXCom: (token, _id, request) => {
        check(token);
        return Promise.resolve(this.#findXCom(request.task_id, request.key, request.map_index));
      },
      async useVariable(token, _id, request) {
        check(token);
        return secrets.useVariable(request);
      },
      async findConnection(token, _id, connId) {
        check(token);
        return secrets.findConnection(connId);
      },
    };
  }

  /** All indexes of a mapped task are one list; what nobody pushed and nobody gave is told, since it is what a trial lacks most often. */
  #findXCom(taskId: string, key: string, mapIndex: number | null): string | null {
    const name = `${taskId}/${key}`;
    const one = this.#xcoms.get(mapIndex === null || mapIndex < 0 ? name : `${name}/${mapIndex}`);
    if (one !== undefined) return one;
    const indexes = [...this.#xcoms].filter(([other]) => other.startsWith(`${name}/`)).sort(([a], [b]) => Number(a.split('/')[2]) - Number(b.split('/')[2]));
    if (mapIndex === null && indexes.length > 0) return `[${indexes.map(([, text]) => text).join(',')}]`;
    this.#place.say(`  ${taskId} has pushed no ${key}; give it with --xcom '${taskId}${key === 'return_value' ? '' : `/${key}`}=…'\n`);
    return null;
  }
}

function lengthOf(json: string): number | null {
  const value: unknown = JSON.parse(json);
  return typeof value === 'object' && value !== null ? Object.keys(value).length : null;
}
