// Proofs on a real Kubernetes: `make prove-kubernetes` brings one up, runs the tests beside this file in it, and takes it down; a word runs those it is in.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { listMissing, type RunningCluster, startCluster } from './cluster.ts';
import { makeProviderEnvironment } from './provider-environment.ts';

const UNAVAILABLE = 69;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const missing = listMissing();
if (missing.length > 0) {
  say(`A Kubernetes cannot be brought up here. Missing:\n${missing.map((line) => `  - ${line}`).join('\n')}`);
  process.exitCode = UNAVAILABLE;
} else process.exitCode = await prove();

async function prove(): Promise<number> {
  let cluster: RunningCluster | null = null;
  const stop = (): void => {
    cluster?.down();
    process.exit(130);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const python = await makeProviderEnvironment(say);
  cluster = await startCluster(say);
  try {
    return await runTests(cluster, python);
  } finally {
    cluster.down();
  }
}

function runTests(cluster: RunningCluster, python: string): Promise<number> {
  const files = globSync('*.container.test.ts', { cwd: import.meta.dirname }).sort().map((name) => join(import.meta.dirname, name));
  const env = { ...process.env, LEOFLOW_TEST_KUBECONFIG: cluster.kubeconfig, LEOFLOW_TEST_KUBECTL: cluster.kubectl, LEOFLOW_TEST_KUBERNETES_PYTHON: python };
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', '--test-timeout=600000', '--test-concurrency=1', ...process.argv.slice(2).map((pattern) => `--test-name-pattern=${pattern}`), ...files], { stdio: 'inherit', env });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve(code ?? 1));
  });
}
