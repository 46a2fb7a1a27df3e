// The reader as one Python script, for people who have Python and kubectl and nothing else: its parts joined, still readable.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'python', 'leoflow', 'xcom_reader');

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

const without = (text: string, start: string): string => text.split('\n').filter((line) => !line.startsWith(start)).join('\n');

/** The script's text. In standalone.py a line `# part: FILE` stands for that file's text, `# text: FILE` for its text as the constant PROBE. */
export function readStandalone(): string {
  return without(read('standalone.py'), 'from leoflow.').replace(/^# (part|text): (\S+)$/gm, (_line, how: string, name: string) => (how === 'text' ? `PROBE = r'''${read(name)}'''` : without(without(read(name), 'from leoflow.'), 'from __future__').trimEnd()));
}
