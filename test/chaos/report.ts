// The proof as people read it: a line per fault, a total, and the same as a table in Markdown.
import { RUNTIME } from './programs.ts';
import type { Proof } from './prove.ts';

const COLUMNS = ['injected', 'starts', 'p50 ms', 'p99 ms', 'max ms', 'seconds'] as const;

/** A quantile of sorted numbers; NaN without any. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1))] ?? Number.NaN;
}

function cells(proof: Proof): string[] {
  const ms = (value: number): string => (Number.isFinite(value) ? value.toFixed(0) : '–');
  const { recoveredMs } = proof;
  return [String(proof.injected), String(proof.starts), ms(quantile(recoveredMs, 0.5)), ms(quantile(recoveredMs, 0.99)), ms(recoveredMs.at(-1) ?? Number.NaN), proof.seconds.toFixed(0)];
}

function violationsOf(proof: Proof): string {
  return Object.entries(proof.violations).filter(([, count]) => count > 0).map(([code, count]) => `${code}×${count}`).join(' ') || 'none';
}

/** The heading of the lines. */
export const HEADING = `${'fault'.padEnd(28)}${COLUMNS.map((name) => name.padStart(9)).join('')}  violations`;

/** One fault: its figures, then the first contradictions in words. */
export function renderLine(proof: Proof): string {
  const more = [...proof.examples, ...(proof.folder === null ? [] : [`kept in ${proof.folder}`])];
  return `${proof.name.padEnd(28)}${cells(proof).map((cell) => cell.padStart(9)).join('')}  ${violationsOf(proof)}${more.map((text) => `\n    ${text}`).join('')}`;
}

/** All faults in one sentence. */
export function renderTotal(proofs: readonly Proof[], broken: number): string {
  const sum = (of: (proof: Proof) => number): number => proofs.reduce((total, proof) => total + of(proof), 0);
  const code = (...codes: readonly string[]): number => sum((proof) => codes.reduce((total, one) => total + (proof.violations[one] ?? 0), 0));
  const others = countViolations(proofs) - code('R1', 'R3', 'R4', 'R5');
  return `${proofs.length} faults, ${sum((proof) => proof.injected)} injected, ${sum((proof) => proof.starts)} task starts: ${code('R1')} lost, ${code('R3')} doubled, ${code('R4')} falsely successful, ${code('R5')} falsely failed, ${others} other violations${broken > 0 ? `, ${broken} broken off` : ''}`;
}

/** How many contradictions there were in all. */
export function countViolations(proofs: readonly Proof[]): number {
  return proofs.reduce((total, proof) => total + Object.values(proof.violations).reduce((sum, count) => sum + count, 0), 0);
}

const UNTIL: Readonly<Record<Proof['recovered'], string>> = { 'next epoch': 'first decision of the next leader', start: 'first task that was decided on and started after it' };

/** What was not proved: faults that cannot be made here with the reason, and how many scenes were broken off. */
export interface Unproved { readonly notInjected: readonly { readonly name: string; readonly reason: string }[]; readonly broken: number }

/** By what ran the tasks. */
const HEADS = {
  leoflow: ['# Chaos', 'Written by `make prove-chaos`.'],
  airflow: ['# Chaos under the Task SDK', 'Written by `make prove-chaos-task-sdk`: every task runs under the supervisor and the task runner of Airflow’s own Task SDK. `task-kill` kills supervisors; the launcher and fork servers are those of [the other proof](chaos.md).'],
} as const;

/** The whole document. @param machine where it was measured, in a sentence */
export function renderMarkdown(proofs: readonly Proof[], { notInjected, broken }: Unproved, machine: string): string {
  const columns = ['fault', 'what is done', ...COLUMNS.slice(0, 5), 'recovered by', 'violations'];
  const row = (cellsOfRow: readonly string[]): string => `| ${cellsOfRow.join(' | ')} |`;
  const rows = proofs.map((proof) => row([`\`${proof.name}\``, proof.about, ...cells(proof).slice(0, 5), UNTIL[proof.recovered], violationsOf(proof)]));
  return [
    ...HEADS[RUNTIME], 'Real servers, a real PostgreSQL and real kills under load, then what tasks wrote down themselves is held against the tables ([how](guides/proofs.md#chaos)).', machine,
    'Times are milliseconds from the fault to what the column before the last names, over all injections of the fault. What is lost, doubled or false would be counted in the last column.',
    [row(columns), `|${columns.map(() => '---').join('|')}|`, ...rows].join('\n'), `${renderTotal(proofs, broken)}.`, ...notInjected.map(({ name, reason }) => `\`${name}\` was not injected: ${reason}.`),
  ].join('\n\n') + '\n';
}
