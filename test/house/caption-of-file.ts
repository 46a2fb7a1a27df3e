// Where the captions of files are read: the sentence in each file's first line.
import { listFiles } from './project.ts';

/** Files whose first lines are read: everything that is program text of ours. */
export function listCaptioned(): string[] {
  return [...['src', 'test', 'bench'].flatMap((folder) => listFiles(folder, /\.(ts|py)$/)), ...listFiles('python', /\.py$/), ...listFiles('sql', /\.sql$/)]
    .filter((path) => !/^test\/(fixtures|.*\/fixtures)\//.test(path));
}

/** The caption of a file: its first comment or docstring line without the marks. Null when it does not start with one. */
export function findCaption(path: string, text: string): string | null {
  const first = (text.startsWith('#!') ? text.slice(text.indexOf('\n') + 1) : text).split('\n', 1)[0] ?? '';
  const pattern = path.endsWith('.py') ? /^r?"""(.+?)(?:""")?$/ : path.endsWith('.sql') ? /^-- (.+)$/ : /^\/\/ (.+)$/;
  return pattern.exec(first)?.[1]?.trim() ?? null;
}
