// `leoflow init`: a new project from a template, with what editors need to help.
import { Command } from 'commander';
import { cpSync, existsSync, globSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { plainSchema } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { ProjectFile } from '#contract/project.ts';
import { yamlSchema } from '#compile/yaml-schema.ts';
import type { LocalContext } from './local-context.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TEMPLATES = join(ROOT, 'examples', 'templates');

/** Each template is the same pipeline. `test` is how its tests run. */
const LANGUAGES = {
  python: { file: 'dags/orders.py', test: 'leoflow pytest' },
  yaml: { file: 'dags/orders.yaml', test: 'leoflow pytest' },
  typescript: { file: 'dags/orders.ts', test: 'leoflow node --test' },
} as const;
type Language = keyof typeof LANGUAGES;

/** The command. Nothing that exists is overwritten. */
export function initCommand(context: LocalContext): Command {
  return new Command('init').description('Begin a project: a DAG, its settings and its tests, in Python, YAML or TypeScript.').argument('[dir]', 'folder, made when missing', '.')
    .option('-t, --template <language>', Object.keys(LANGUAGES).join(', '), 'python').option('--editor', 'only renew what editors read: schemas and types')
    .addHelpText('after', '\nExample:\n  leoflow init orders --template typescript\n')
    .action((dir: string, options: { template: string; editor?: boolean }) => {
      const folder = resolve(dir);
      if (options.editor === true) return renewEditor(context, folder);
      if (!(options.template in LANGUAGES)) throw new AppError('usage', `--template ${options.template}: expected one of ${Object.keys(LANGUAGES).join(', ')}`);
      begin(context, { folder, dir, language: options.template as Language });
    });
}

function begin(context: LocalContext, { folder, dir, language }: { readonly folder: string; readonly dir: string; readonly language: Language }): void {
  const template = join(TEMPLATES, language);
  const files = globSync('**/*', { cwd: template, withFileTypes: true, exclude: ['**/__pycache__'] }).filter((entry) => entry.isFile()).map((entry) => relative(template, join(entry.parentPath, entry.name))).sort();
  const taken = [...files, '.gitignore'].filter((file) => existsSync(join(folder, file)));
  if (taken.length > 0) throw new AppError('conflict', `${dir} holds ${taken.join(', ')} already`, { hint: 'Choose an empty folder; nothing was written.' });
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(template, file), join(folder, file));
  }
  writeFileSync(join(folder, '.gitignore'), '__pycache__/\nnode_modules/\n.pytest_cache/\n');
  writeEditorFiles(folder, language === 'typescript');
  const { file, test } = LANGUAGES[language];
  const steps = [[`leoflow test ${file}`, 'run it here, task by task'], [test, 'its tests'], ['leoflow lite .', 'server, scheduler and API; saves are picked up']] as const;
  const width = Math.max(...steps.map(([command]) => command.length));
  const enter = dir === '.' ? '' : `  cd ${dir}\n`;
  context.out(`${[...files, '.gitignore'].map((one) => `  ${one}\n`).join('')}\nNext:\n${enter}${steps.map(([command, what]) => `  ${command.padEnd(width)}   ${what}\n`).join('')}`);
}

/** Schemas for YAML, and for TypeScript the types of `leoflow` and of Node, as links that no repository keeps. */
function writeEditorFiles(folder: string, withTypes: boolean): void {
  mkdirSync(join(folder, '.leoflow'), { recursive: true });
  for (const [name, schema] of [['dag-yaml-1.0.json', yamlSchema()], ['leoflow-yaml-1.0.json', plainSchema(ProjectFile)]] as const) {
    writeFileSync(join(folder, '.leoflow', name), `${JSON.stringify(schema, null, 1)}\n`);
  }
  if (!withTypes) return;
  const nodeTypes = dirname(createRequire(import.meta.url).resolve('@types/node/package.json'));
  for (const [name, target] of [['leoflow', ROOT], ['@types/node', nodeTypes]] as const) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(target, link);
  }
}

function renewEditor(context: LocalContext, folder: string): void {
  if (!existsSync(folder)) throw new AppError('file_unreadable', `${folder} does not exist`);
  writeEditorFiles(folder, existsSync(join(folder, 'package.json')));
  context.out(`${join(folder, '.leoflow')}\n`);
}
