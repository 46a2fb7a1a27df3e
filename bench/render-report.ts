// The report of a benchmark run: one table of all figures, then what each case says. For the terminal and for docs/benchmarks.md.
import { type Figure, isMet, median, ratioOf, renderNumber, renderTarget } from './figures.ts';

/** One case that ran, or the reason why it did not. `seconds` is how long it took. */
export interface CaseReport {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  readonly details: readonly string[];
  readonly failure: string | null;
}

const HEADER = ['figure', 'target', 'measured (median; all rounds)', 'floor or peer, same run', 'ratio', ''];

function renderRounds(rounds: readonly number[]): string {
  return rounds.length > 1 && rounds.length <= 7 ? ` (${rounds.map(renderNumber).join(' ')})` : '';
}

function rowOf(figure: Figure): string[] {
  const met = isMet(figure);
  const ratio = ratioOf(figure);
  return [
    figure.name, renderTarget(figure), `${renderNumber(median(figure.rounds))} ${figure.unit}${renderRounds(figure.rounds)}`,
    figure.base === null ? '–' : `${figure.base.name}: ${renderNumber(median(figure.base.rounds))} ${figure.unit}`, ratio === null ? '–' : `${renderNumber(ratio)} ×`, met === null ? '' : met ? 'met' : '**missed**',
  ];
}

/** All figures of all cases as a Markdown table, its columns aligned. */
export function renderTable(reports: readonly CaseReport[]): string {
  const rows = [HEADER, ...reports.flatMap((report) => report.figures.map(rowOf))];
  const widths = HEADER.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(HEADER), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.slice(1).map(line)].join('\n');
}

/** What one case says beside its figures. */
export function renderSection(report: CaseReport): string {
  const text = report.failure === null ? report.details.join('\n') : `Did not run: ${report.failure}`;
  return `### ${report.title}\n\n\`bin/node bench/main.ts ${report.name}\`, ${Math.round(report.seconds)} s.\n\n${text}`;
}

/** docs/benchmarks.md. `notes` is written by hand and stands as it is. */
export function renderDocument(reports: readonly CaseReport[], about: { readonly machine: string; readonly notes: string }): string {
  return [
    '# Benchmarks', '',
    'Written by `make bench`, but for the part below "Where the time goes", which is `bench/notes.md` and written by hand. Compare ratios, not seconds: whatever else the machine does moves both.', '',
    about.machine, '', '## Figures beside their targets', '', renderTable(reports), '',
    'A floor is the least that the machine needs for the same work without us; a peer is another program, or the same one in another condition. Both are measured in the same run, interleaved where that is possible.', '',
    '## Where the time goes', '', about.notes.trim(), '', '## Case by case', '', reports.map(renderSection).join('\n\n'), '',
  ].join('\n');
}
