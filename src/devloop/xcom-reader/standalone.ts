// The reader as one Python script, for people who have Python and kubectl and nothing else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'python', 'leoflow', 'xcom_reader');

/** The script's text. */
export function readStandalone(): string {
  return readFileSync(join(FOLDER, 'standalone.py'), 'utf8');
}
