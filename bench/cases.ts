// THE table of benchmark cases: name, what it measures, how often, how long it may take.
import type { Measured } from './figures.ts';
import type { Workbench } from './workbench.ts';

/** One case. `rounds` unless the command line says otherwise; `limitSeconds` ends a case that hangs. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  readonly limitSeconds: number;
  /** Loads and runs it, so that a case pays for no other. */
  readonly run: (bench: Workbench) => Promise<Measured>;
}

/** In the order of the report. */
export const CASES: readonly Case[] = [
  { name: 'hop', title: 'The hot path', rounds: 15, limitSeconds: 120, run: async (bench) => (await import('./hop.ts')).measureHop(bench) },
  { name: 'stages', title: 'A hop by its stages', rounds: 10, limitSeconds: 90, run: async (bench) => (await import('./stages.ts')).measureStages(bench) },
  { name: 'sustained', title: 'Tasks kept going', rounds: 3, limitSeconds: 120, run: async (bench) => (await import('./sustained.ts')).measureSustained(bench) },
  { name: 'mapped', title: 'Mapped tasks', rounds: 5, limitSeconds: 400, run: async (bench) => (await import('./mapped.ts')).measureMapped(bench) },
  { name: 'alone', title: 'The engine alone', rounds: 5, limitSeconds: 120, run: async (bench) => (await import('./engine-alone.ts')).measureEngineAlone(bench) },
  { name: 'active', title: 'From 10 to 10,000 active runs', rounds: 1, limitSeconds: 240, run: async (bench) => (await import('./active-runs.ts')).measureActiveRuns(bench) },
  { name: 'history', title: 'A million finished task instances', rounds: 20, limitSeconds: 400, run: async (bench) => (await import('./history.ts')).measureHistory(bench) },
  { name: 'many-dags', title: '10,000 DAGs', rounds: 1, limitSeconds: 180, run: async (bench) => (await import('./many-dags.ts')).measureManyDags(bench) },
  { name: 'node-chain', title: 'Tasks in TypeScript', rounds: 10, limitSeconds: 120, run: async (bench) => (await import('./node-chain.ts')).measureNodeChain(bench) },
  { name: 'save', title: 'Saving a DAG file', rounds: 20, limitSeconds: 180, run: async (bench) => (await import('./save.ts')).measureSave(bench) },
  { name: 'worktree', title: 'A second working tree', rounds: 5, limitSeconds: 600, run: async (bench) => (await import('./worktree.ts')).measureWorktree(bench) },
  { name: 'xcom-reader', title: 'Reading XComs of a private Airflow', rounds: 15, limitSeconds: 120, run: async (bench) => (await import('./xcom-reader.ts')).measureXComReader(bench) },
  { name: 'boot', title: 'Boot', rounds: 3, limitSeconds: 120, run: async (bench) => (await import('./boot.ts')).measureBoot(bench) },
  { name: 'memory', title: 'Memory', rounds: 1, limitSeconds: 120, run: async (bench) => (await import('./memory.ts')).measureMemory(bench) },
  { name: 'take-over', title: 'The leader is killed', rounds: 5, limitSeconds: 120, run: async (bench) => (await import('./take-over.ts')).measureTakeOver(bench) },
  { name: 'task-sdk', title: 'Tasks under the real Task SDK', rounds: 3, limitSeconds: 900, run: async (bench) => (await import('./task-sdk.ts')).measureTaskSdk(bench) },
  { name: 'deferred', title: 'A thousand deferred tasks', rounds: 1, limitSeconds: 900, run: async (bench) => (await import('./deferred.ts')).measureDeferred(bench) },
  { name: 'airflow', title: 'Airflow 3.2.1 beside ours', rounds: 2, limitSeconds: 900, run: async (bench) => (await import('./airflow/beside.ts')).measureBeside(bench) },
];
