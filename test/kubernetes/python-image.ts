// The files of a container image with a local Python, SQLAlchemy and psycopg2, and two shells: what they need of this machine and nothing else.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const WHERE = 'import sys, sysconfig, sqlalchemy, os; print(os.path.realpath(sys.executable)); print(sysconfig.get_path("stdlib")); print(os.path.dirname(os.path.dirname(sqlalchemy.__file__)))';
const LEFT_OUT = /^(__pycache__|test|tests|idlelib|tkinter|ensurepip|lib2to3|site-packages|pip|setuptools|config-.*|turtledemo|pydoc_data)$/;

/** Makes the folder of an image; Python is on the path in it. @param python path of a Python that has SQLAlchemy and psycopg2 */
export function makePythonImage(root: string, python: string): void {
  const [program = '', library = '', packages = ''] = execFileSync(python, ['-c', WHERE], { encoding: 'utf8' }).trim().split('\n');
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['usr/local/bin', 'usr/local/lib', 'bin', 'etc', 'tmp', 'usr/bin']) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync(program, join(root, 'usr/local/bin/python3'));
  const target = join(root, 'usr/local/lib', basename(library));
  copyTree(library, target);
  copyTree(packages, join(target, 'site-packages'));
  const bash = realpathSync('/bin/bash');
  copyFileSync(bash, join(root, 'bin/bash'));
  const shared = [program, bash, ...listShared(target)];
  for (const needed of new Set(shared.flatMap(neededBy))) {
    mkdirSync(join(root, dirname(needed)), { recursive: true });
    copyFileSync(realpathSync(needed), join(root, needed));
  }
  for (const name of ['python3', 'python']) symlinkSync('../local/bin/python3', join(root, 'usr/bin', name));
  addShell(root);
}

function copyTree(from: string, to: string): void {
  cpSync(from, to, { recursive: true, dereference: true, filter: (path) => path === from || (!LEFT_OUT.test(basename(path)) && !path.endsWith('.a')) });
}

function listShared(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)).filter((path) => /\.so(\.|$)/.test(path) && lstatSync(path).isFile());
}

/** Paths of the libraries that a program or library is linked with, those of its own package left out. */
function neededBy(path: string): string[] {
  const listed = execFileSync('ldd', [path], { encoding: 'utf8' });
  return [...listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '').filter((one) => !one.includes('/site-packages/') && existsSync(one));
}

function addShell(root: string): void {
  copyFileSync(existsSync('/usr/bin/busybox') ? '/usr/bin/busybox' : '/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of ['sh', 'sleep', 'cat', 'ls', 'env', 'kill', 'true', 'mkdir']) symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
}
