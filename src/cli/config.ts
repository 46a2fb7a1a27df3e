// `leoflow config show`: every setting of this machine and of a project, its value, and where it came from.
import { Command } from 'commander';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { explainConfig } from '#platform/config.ts';
import { readDependencies } from '#compile/dependencies.ts';
import { Project, viewOf } from '#compile/project.ts';
import type { ProjectLayer } from '#compile/project-file.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson, renderTable } from './output.ts';

interface Options { dag?: string; all?: boolean; json?: boolean }
interface Row { readonly key: string; readonly value: unknown; readonly from: string }

/** The command with its one verb. */
export function configCommand(context: LocalContext): Command {
  const show = new Command('show').description('Settings with their values and where each came from. Secrets are masked.')
    .argument('[path]', 'project folder or DAG file: what its leoflow.yaml files say, nearest last').option('--dag <dag_id>', 'as this DAG gets them')
    .option('--all', 'also settings of the machine that nobody changed').option('--json', 'print JSON')
    .addHelpText('after', `
The settings of a project come from files named leoflow.yaml, farthest first; a nearer file wins, and in one file
what is said for a DAG by id (dags:). They are searched from the folder with .git down to the folder of the DAG file;
without .git, from the nearest folder that holds one. Mappings are merged key by key, tags add up, other lists are replaced.

Example:
  leoflow config show dags/daily.py --dag daily
`)
    .action((path: string | undefined, options: Options) => showConfig(context, path, options));
  return new Command('config').description('Settings of this machine and of projects.').addCommand(show);
}

function showConfig(context: LocalContext, path: string | undefined, options: Options): void {
  const config = context.readConfig();
  const machine = explainConfig().filter((row) => options.all === true || row.from !== 'default')
    .map((row) => (row.name === 'LEOFLOW_HOME' ? { ...row, value: context.homeOf(config) } : row)).map(({ name, value, from }): Row => ({ key: name, value, from }));
  const project = path === undefined ? null : projectRows(path, options.dag ?? null);
  if (options.json === true) return context.out(renderJson({ machine, ...(project === null ? {} : { project }) }));
  const table = (rows: readonly Row[]): string => renderTable(['SETTING', 'VALUE', 'FROM'], rows.map(({ key, value, from }) => [key, typeof value === 'string' ? value : JSON.stringify(value), from]));
  context.out(machine.length === 0 ? 'Every setting of this machine is at its default (--all lists them).\n' : table(machine));
  if (project === null) return;
  context.out(project.length === 0 ? `\nNo leoflow.yaml says anything about ${path}.\n` : `\n${table(project)}`);
}

function projectRows(path: string, dagId: string | null): Row[] {
  const full = resolve(path);
  if (!existsSync(full)) throw new AppError('file_unreadable', `${path} does not exist`);
  const isFolder = statSync(full).isDirectory();
  const layers = new Project(isFolder ? full : dirname(full)).layersOf(isFolder ? '.' : basename(full));
  return [...frameRows(layers), ...viewOf(layers, dagId).values];
}

/** What is said about files and packages, which no DAG changes. */
function frameRows(layers: readonly ProjectLayer[]): Row[] {
  const dependencies = readDependencies(layers);
  const rows = layers.flatMap((layer) => (['include_paths', 'exclude_paths', 'runtime'] as const).flatMap((key): Row[] => {
    const value = layer.settings[key];
    return value === undefined ? [] : [{ key, value, from: `${layer.path}:${layer.placeOf([key]).line}` }];
  }));
  const nearest = (language: 'python' | 'node'): string => {
    const layer = layers.findLast((one) => one.settings.dependencies?.[language] !== undefined);
    return layer === undefined ? '' : `${layer.path}:${layer.placeOf(['dependencies', language]).line}`;
  };
  if (dependencies.python !== null) rows.push({ key: 'dependencies.python', value: dependencies.python, from: nearest('python') });
  if (dependencies.node !== null) rows.push({ key: 'dependencies.node', value: `${dependencies.node.manifest.length} bytes${dependencies.node.lock === null ? ', no lock file' : ', locked'}`, from: nearest('node') });
  return rows;
}
