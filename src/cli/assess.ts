// `leoflow assess DIR`: which files of an existing Airflow project run here as they are, which need more, and which cannot.
import { Command } from 'commander';
import { join, relative } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { Verdict } from '#core/assess-file.ts';
import { type AssessedFile, assessFolder } from './assess-folder.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson, renderTable } from './output.ts';
import { findPython } from './python-command.ts';
import { paint } from './run-view.ts';

const WORDS: Readonly<Record<Verdict, { readonly title: string; readonly colour: number; readonly sentence: string }>> = {
  runs: { title: 'runs', colour: 32, sentence: 'run as they are' },
  packages: { title: 'needs packages', colour: 33, sentence: 'run once their packages are in dependencies.python of leoflow.yaml' },
  value: { title: 'needs a value', colour: 33, sentence: 'read a variable or connection at import: set it (`leoflow variables set`), or move the read into a task' },
  sdk: { title: 'needs the SDK', colour: 33, sentence: 'run by the real Task SDK: `runtime: airflow` in leoflow.yaml, and the providers named in dependencies.python' },
  cannot: { title: 'cannot run', colour: 31, sentence: 'cannot run as they are written' },
  none: { title: 'no DAG', colour: 90, sentence: 'hold no DAG' },
};

/** The command. It executes the files' top level, as any parser of DAG files does, and runs no task. */
export function assessCommand(context: LocalContext): Command {
  return new Command('assess').description('Say which files of an existing Airflow project run here, which need more, and which cannot and why.')
    .argument('<dir>', 'folder of DAG files, or one file').option('--json', 'print JSON').option('--only <verdict>', `only files with this verdict: ${Object.keys(WORDS).join(', ')}`)
    .addHelpText('after', '\nThe top level of each file is executed, as Airflow would; no task runs and nothing is changed.\n\nExample:\n  leoflow assess ~/airflow/dags\n')
    .action((dir: string, options: { json?: boolean; only?: string }) => assess(context, dir, options));
}

async function assess(context: LocalContext, dir: string, options: { readonly json?: boolean; readonly only?: string }): Promise<void> {
  if (options.only !== undefined && !(options.only in WORDS)) throw new AppError('usage', `--only ${options.only}: expected one of ${Object.keys(WORDS).join(', ')}`);
  const config = context.readConfig();
  const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
  const { root, importPaths, rows } = await assessFolder(dir, { config, python, say: context.err, onFile: (file, done, all) => {
    if (context.errIsTerminal) context.err(`\r\u001b[K${done} of ${all}  ${file}`);
    if (context.stop.aborted) throw new AppError('interrupted', 'interrupted');
  } });
  if (context.errIsTerminal) context.err('\r\u001b[K');
  const shown = rows.filter((row) => options.only === undefined || row.verdict === options.only);
  if (options.json === true) return context.out(renderJson(shown));
  print(context, shown);
  if (importPaths.length > 0) context.out(`\nassessed with import_paths: [${importPaths.map((path) => relative(root, path) || '.').join(', ')}] in ${join(root, 'leoflow.yaml')}; write that there, or these modules are missing\n`);
}

function print(context: LocalContext, rows: readonly AssessedFile[]): void {
  if (rows.length > 0) {
    context.out(renderTable(['FILE', 'VERDICT', 'DAGS', 'WHY'], rows.map(({ file, verdict, dags, why }) => [file, paint(WORDS[verdict].title, WORDS[verdict].colour, context.coloured), dags.length, why])));
    context.out('\n');
  }
  for (const verdict of Object.keys(WORDS) as Verdict[]) {
    const found = rows.filter((row) => row.verdict === verdict);
    if (found.length === 0) continue;
    const dags = found.reduce((sum, row) => sum + row.dags.length, 0);
    context.out(`${String(found.length).padStart(5)} file${found.length === 1 ? ' ' : 's'} ${WORDS[verdict].sentence}${verdict === 'runs' ? ` (${dags} DAGs)` : ''}\n`);
  }
  const wanted = new Map<string, number>();
  for (const row of rows.filter((one) => one.verdict === 'sdk' || one.verdict === 'packages')) for (const what of row.what) wanted.set(what, (wanted.get(what) ?? 0) + 1);
  const most = [...wanted].sort(([a, one], [b, two]) => two - one || (a < b ? -1 : 1)).slice(0, 10);
  if (most.length > 0) context.out(`\nmost wanted: ${most.map(([what, count]) => `${what} (${count})`).join(', ')}\n`);
}
