// The version of this program, read once from package.json.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As in package.json. */
export const VERSION = (JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as { version: string }).version;
