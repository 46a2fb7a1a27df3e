// What starts executions. Three kinds implement it (process, container, Kubernetes); one conformance suite holds them all.
import type { BodyRuntime, CallAnswer, ExecutionReport, ExecutionSpec, ExitedChild, ImportSecrets, ReportedError, VersionCall } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';

/** Files and interpreter of a DAG version, ready on this machine. */
export interface PreparedVersion {
  readonly versionId: VersionId;
  readonly dagId: string;
  readonly root: string;
  readonly dagFile: string;
  /** Import folders after `root`. */
  readonly path: readonly string[];
  /** What its file reads while it is imported. */
  readonly importSecrets?: ImportSecrets;
  /** Interpreter of the version's own environment; null: the server's. */
  readonly python: string | null;
  /** The project's own Task SDK imports its file and runs its tasks; absent: our own runtime. */
  readonly taskSdk?: true;
  /** What its bodies run in. */
  readonly runtimes: readonly BodyRuntime[];
  /** The project's own Node, when its packages bring one; null: the server's. */
  readonly node: string | null;
  /** Modules that bodies in Node are in: paths below `root`. */
  readonly nodeModules: readonly string[];
}

/** A place where one execution will run, known before the commit that makes it durable. */
export interface Slot {
  /** Names the runtime object (fork server) in the execution's row. */
  readonly handle: string;
  /** Known for a parked child, null when the child is forked after the commit. */
  readonly pid: number | null;
  /** After the commit: hands the job over. */
  launch(spec: ExecutionSpec): void;
  /** The commit did not happen: the place is free again. */
  release(): void;
}

/** What the executor tells of its own accord. */
export interface ExecutorEvents {
  /** Ask for places again: executions of this version can start now, or what was begun for it is gone. */
  onReady(versionId: VersionId): void;
  /** The version cannot run here: its file does not import. */
  onFailed(versionId: VersionId, error: ReportedError): void;
  onExited(child: ExitedChild): void;
  /** Everything a runtime object ran is gone with it. */
  onLost(executions: readonly ExecutionId[], reason: string): void;
  onAlive(executions: readonly ExecutionId[]): void;
}

/** What was found running when a leader took over. */
export interface Inventory {
  readonly running: ReadonlyMap<ExecutionId, number>;
}

/** One kind of place where executions run. Only a leader calls it, between `lead` and `stepDown`; nothing in it decides on states. */
export interface Executor {
  readonly kind: string;
  /** Takes over whatever runs on this host under an older epoch. */
  lead(epoch: number, events: ExecutorEvents): Promise<Inventory>;
  /** A place for an execution of the version, or null: `prepare` was begun, `onReady` or `onFailed` follows. Without `runtime` any of its kinds will do. */
  reserve(versionId: VersionId, runtime?: BodyRuntime): Slot | null;
  /** Ends an execution: its end is told like any other. @returns false when nothing here runs it */
  cancel(executionId: ExecutionId, graceSeconds: number): boolean;
  /** A parked child reports for work; resolves with its job, or null when it should end. */
  park(child: { readonly forkServerId: string; readonly pid: number; readonly runtime?: BodyRuntime; readonly gone: AbortSignal }): Promise<ExecutionSpec | null>;
  /** Whether tasks of a version wait for triggers: while they do, one process runs these triggers. Told again, it changes nothing. */
  hostTriggers(versionId: VersionId, wanted: boolean): void;
  /** The version that a fork server serves; null when it is none of ours. */
  versionOf(forkServerId: string): VersionId | null;
  /** Makes a call in the version's environment. @returns its answer, JSON text. Rejects with `call_failed`, `not_leading`. */
  call(versionId: VersionId, call: VersionCall): Promise<string>;
  /** A child tells what its call came to. @returns false when nobody here waits for it */
  answerCall(id: string, answer: CallAnswer): boolean;
  /** Why a version's executions cannot start now, null when they can. */
  explain(versionId: VersionId): string | null;
  /** Stops leading. Running executions go on. */
  stepDown(): void;
  /** Ends everything, executions included. @returns whether all that ran is known to be gone: a launcher ends after everything below it */
  shutdown(): Promise<boolean>;
}

/** What executions leave behind while they report. Read when the report never came. */
export interface Outcomes {
  /** Rejects when it cannot be read: that says nothing about what was left. */
  find(executionId: ExecutionId): Promise<ExecutionReport | null>;
  /** Makes room: what closed executions left may go. Only a leader calls it; `listOpen` answers null as soon as it leads no more. */
  sweep(listOpen: () => Iterable<ExecutionId> | null): Promise<void>;
}
