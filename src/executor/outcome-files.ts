// What executions leave on this machine's disk before they report, so that an end nobody took down still counts.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import type { Outcomes } from './executor.ts';

/** Outcomes as files of one folder, `<execution>.json`. */
export function outcomeFiles(folder: string): Outcomes {
  const pathOf = (id: ExecutionId): string => join(folder, `${id}.json`);
  return {
    find(id) {
      try {
        const report = JSON.parse(readFileSync(pathOf(id), 'utf8')) as ExecutionReport;
        return Promise.resolve(report.execution_id === id ? report : null);
      } catch {
        // None was left, or it was cut short by the same death.
        return Promise.resolve(null);
      }
    },
    discard: (id) => rmSync(pathOf(id), { force: true }),
  };
}
