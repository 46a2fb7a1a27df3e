// Makes the published form: dist/ in JavaScript, because Node strips no types below node_modules, with the declarations of what a dag.ts imports. Run by `npm pack` and `npm publish`.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'dist');

/** Types become spaces, so line and column of a stack stay those of the source; specifiers name the .js beside them. */
function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source, { mode: 'strip' }).replace(/((?:from|import)\s*\(?\s*')([#.][^']*)\.ts'/g, "$1$2.js'");
}

rmSync(OUT, { recursive: true, force: true });
for (const file of globSync('src/**/*.ts', { cwd: ROOT }).filter((name) => !name.endsWith('.test.ts'))) {
  const target = join(OUT, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, toJavaScript(readFileSync(join(ROOT, file), 'utf8')));
}
// Declarations of the SDK, whose files name each other as the JavaScript beside them.
const declared = join(OUT, 'declared');
execFileSync(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(ROOT, 'tsconfig.sdk.json'), '--outDir', declared], { stdio: 'inherit', timeout: 60_000 });
for (const file of globSync('sdk/*.d.ts', { cwd: declared })) {
  writeFileSync(join(OUT, 'src', file), readFileSync(join(declared, file), 'utf8').replace(/(from ')(\.[^']*)\.ts'/g, "$1$2.js'"));
}
rmSync(declared, { recursive: true });
// The package lies in dist/ whole: its program, what it reads at run time, and a package.json whose imports name the program.
for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'sql', 'docs/api', 'examples/demo', 'python/leoflow', 'python/requirements.txt', 'python/constraints', 'bin/leoflow', 'bin/start.mjs', 'package-lock.json']) {
  cpSync(join(ROOT, name), join(OUT, name), { recursive: true, filter: (path) => !path.includes('__pycache__') });
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
const { devDependencies: _, scripts: __, ...published } = manifest;
const entry = (name: string): object => ({ types: `./src/sdk/${name}.d.ts`, default: `./src/sdk/${name}.js` });
const exported = { '.': entry('leoflow'), './testing': entry('testing'), './package.json': './package.json' };
writeFileSync(join(OUT, 'package.json'), `${JSON.stringify({ ...published, imports: { '#*': './src/*' }, exports: exported }, null, 2)}\n`);
