// The entry of the command line. In plain JavaScript: what keeps compiled code between two commands must run before the first TypeScript is read, or every command pays 100 ms for Node's own compiler.
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// A folder that nobody else writes to.
enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'leoflow', 'code'));
const main = new URL('../src/main/', import.meta.url);
await import(new URL(existsSync(new URL('cli.ts', main)) ? 'cli.ts' : 'cli.js', main).href);
