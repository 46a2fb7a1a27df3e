// The single-node Kubernetes of tools/kubernetes for a proof: what it needs, built once below .cache, started and taken down.
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makePythonImage } from './python-image.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TOOLS = join(ROOT, 'tools', 'kubernetes');
const CACHE = join(ROOT, '.cache', 'kubernetes');
const BIN = join(CACHE, 'bin');
const PACKAGES = 'apt-get install -y --no-install-recommends containerd runc containernetworking-plugins iptables busybox-static';
/** Of the host, as pods see it. */
export const HOST_ADDRESS = '10.231.0.1';
/** Image with Python, SQLAlchemy and psycopg2. */
export const PYTHON_IMAGE = 'localhost/airflow-python:1';
/** Folders that up.sh makes on the host when they are missing. */
const HOST_FOLDERS = ['/var/lib/kubelet', '/var/lib/containerd', '/var/lib/cni'];

/** What stands in the way of a cluster on this machine, each with what to do about it. */
export function listMissing(): string[] {
  const missing: string[] = [];
  const lacks = (program: string): boolean => spawnSync('which', [program], { stdio: 'ignore' }).status !== 0;
  if (process.platform !== 'linux') missing.push('Linux: the cluster runs in namespaces of its kernel');
  else if (process.getuid?.() !== 0) missing.push('root: namespaces, containerd and kubelet need it. Run `sudo make prove-kubernetes`, or in a container that may do all of it');
  const programs = ['containerd', 'ctr', 'runc', 'busybox'].filter(lacks);
  if (!existsSync('/usr/lib/cni/bridge')) programs.push('/usr/lib/cni/bridge');
  if (programs.length > 0) missing.push(`${programs.join(', ')}: ${PACKAGES}`);
  const base = ['unshare', 'nsenter', 'ip', 'openssl', 'curl', 'ldd'].filter(lacks);
  if (base.length > 0) missing.push(`${base.join(', ')}: apt-get install -y util-linux iproute2 openssl curl libc-bin`);
  if (!isBuilt() && lacks('go')) missing.push('Go 1.24 or newer, to build Kubernetes once: https://go.dev/dl');
  return missing;
}

/** A cluster that is up. */
export interface RunningCluster {
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** Stops everything and takes every trace away but what was built. */
  down(): void;
}

/** Builds what is missing and brings a cluster up with the image of Python. Throws with the end of its log. */
export async function startCluster(say: (line: string) => void): Promise<RunningCluster> {
  await build(say);
  const data = join(CACHE, 'cluster');
  spawnSync('sh', [join(TOOLS, 'down.sh'), data, '--purge'], { stdio: 'ignore' });
  mkdirSync(join(data, 'img'), { recursive: true });
  await makeImage(join(data, 'img'));
  const added = HOST_FOLDERS.filter((folder) => !existsSync(folder));
  const down = (): void => {
    spawnSync('sh', [join(TOOLS, 'down.sh'), data, '--purge'], { stdio: 'ignore' });
    for (const folder of added) if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
  };
  const up = await new Promise<{ code: number | null; text: string }>((resolve) => {
    const child = execFile('sh', [join(TOOLS, 'up.sh'), data], { env: { ...process.env, BIN, IMAGES: 'python' }, timeout: 180_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, text: `${stdout}${stderr}` }));
    child.stdin?.end();
  });
  if (up.code !== 0) {
    down();
    throw new Error(`the cluster did not come up:\n${up.text.slice(-3000)}`);
  }
  say(up.text.trim().split('\n').at(-2) ?? '');
  return { kubeconfig: join(data, 'admin.kubeconfig'), kubectl: join(BIN, 'kubectl'), down };
}

async function makeImage(folder: string): Promise<void> {
  makePythonImage(join(folder, 'python'), join(ROOT, '.venv-probe', 'bin', 'python'));
  await promisify(execFile)('sh', [join(TOOLS, 'mkimage.sh'), join(folder, 'python'), PYTHON_IMAGE, '["/usr/local/bin/python3"]', join(folder, 'python.tar')]);
  rmSync(join(folder, 'python'), { recursive: true });
}

/** What the programs are made of. */
function sources(): string {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'k8s-all/main.go', 'pause/main.go', 'build-all.sh']) hash.update(readFileSync(join(TOOLS, name)));
  return hash.digest('hex');
}

function isBuilt(): boolean {
  const mark = join(BIN, 'built-from');
  return existsSync(mark) && readFileSync(mark, 'utf8') === sources();
}

async function build(say: (line: string) => void): Promise<void> {
  if (isBuilt()) return;
  say('building Kubernetes from Go modules, once: about ten minutes …');
  await promisify(execFile)('sh', [join(TOOLS, 'build-all.sh'), BIN], { maxBuffer: 16_000_000 });
  writeFileSync(join(BIN, 'built-from'), sources());
}
