// `leoflow push DIR`: compile here, register there. The server never sees the files as code, only dag.json and their bytes.
import type { Command } from 'commander';
import type { DagVersionResponse } from '#contract/airflow/dag-version.ts';
import { AppError } from '#contract/errors.ts';
import { renderProblem } from '#compile/compiled.ts';
import { segment } from './api-client.ts';
import { compileFiles } from './compile-files.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson } from './output.ts';
import { findPython } from './python-command.ts';
import { clientOf, remoteCommand, type RemoteOptions } from './remote-command.ts';

interface Options extends RemoteOptions { strict?: boolean }

/** The command. A file with problems stops the push before anything is sent. */
export function pushCommand(context: LocalContext): Command {
  return remoteCommand('push', 'Compile DAG files and register them with a server. New DAGs are paused there at first.', 'leoflow push dags/ --server http://127.0.0.1:8088')
    .argument('<path>', 'DAG file, or a folder of them').option('--strict', 'a DAG that differs between two parses is an error')
    .action((path: string, options: Options) => push(context, path, options));
}

async function push(context: LocalContext, path: string, options: Options): Promise<void> {
  const config = context.readConfig();
  const client = clientOf(context, options);
  const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
  const compiled = await compileFiles(path, { config, python, say: context.err }, { deterministic: true, strict: options.strict === true });
  for (const warning of compiled.warnings) context.err(`warning: ${renderProblem(warning)}\n`);
  if (compiled.problems.length > 0) throw new AppError('invalid_dag', compiled.problems.map(renderProblem).join('\n'), { hint: 'Nothing was pushed. Correct the files and push again.' });
  const pushed: DagVersionResponse[] = [];
  for (const { dag, sources } of compiled.dags) {
    const version = await client.json<DagVersionResponse>('POST', `/dags/${segment(dag.dag_id)}/dagVersions`, {
      body: { dag, sources: sources.map((source) => ({ path: source.path, content_base64: source.content.toString('base64') })) },
    });
    pushed.push(version);
    if (options.json !== true) context.out(`${dag.dag_id}  version ${version.version_number}\n`);
  }
  if (options.json === true) context.out(renderJson(pushed));
}
