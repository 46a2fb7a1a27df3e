// `leoflow xcom doctor`, `rbac` and `probe`: whether a site can be read, with which rights, and the program that reads.
import type { Command } from 'commander';
import { AppError, type ErrorCode } from '#contract/errors.ts';
import { readProbe } from '#devloop/xcom-reader/ask-probe.ts';
import { allowed, clusterRights } from '#devloop/xcom-reader/kubectl.ts';
import { readStandalone } from '#devloop/xcom-reader/standalone.ts';
import { type OpenReader, type ReaderContext, type ReaderFlags, withReader, withReaderFlags } from './open-reader.ts';
import { renderExactJson } from '#devloop/xcom-reader/python-json.ts';
import { printable } from './output.ts';
import { readerCommand } from './reader-command.ts';

interface Check { readonly name: string; readonly level: 'ok' | 'warning' | 'error'; readonly text: string; readonly code?: ErrorCode }

/** `xcom doctor`. */
export function readerDoctorCommand(context: ReaderContext): Command {
  return withReaderFlags(readerCommand('doctor', 'Look whether a site can be read, and how sure it is that nothing can be written there.')).option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  leoflow xcom doctor --namespace airflow\n')
    .action(async (flags: ReaderFlags & { readonly json?: boolean }) => {
      const checks = await withReader(context, flags, examine);
      context.out(flags.json === true ? `${renderExactJson(checks, 2)}\n` : checks.map((check) => `${check.level.padEnd(7)}  ${check.name.padEnd(10)}  ${check.text}\n`).join(''));
      const failed = checks.findLast((check) => check.level === 'error');
      if (failed !== undefined) throw new AppError(failed.code ?? 'reader_cluster', 'this site cannot be read', { hint: 'Mend what is marked as error above.' });
    });
}

async function examine(reader: OpenReader): Promise<readonly Check[]> {
  const checks: Check[] = Object.entries(reader.from).map(([key, from]) => ({ name: 'setting', level: 'ok', text: `${key} = ${String(reader.site[key as keyof typeof reader.site])} (${from})` }));
  if (reader.transport.name === 'exec' || reader.transport.name === 'port-forward') {
    for (const right of clusterRights(reader.transport.name)) checks.push({ name: 'cluster', ...rightCheck(right, await allowed(reader.cluster, right)) });
  }
  try {
    const { answer, target } = await reader.transport.ask({ question: 'examine', dag_id: '', runs: { run_id: '%', state: null, limit: 1 }, task_id: '%', key: '%', map_index: null, limit: 1, max_bytes: 1, resolve: false });
    checks.push({ name: 'asked', level: 'ok', text: `${target}${answer.airflow_version === null ? '' : `, Airflow ${answer.airflow_version}`}` }, { name: 'schema', level: 'ok', text: `${answer.schema} on ${answer.dialect}, connection from ${answer.connection_from}` });
    if (answer.backend !== null) checks.push({ name: 'backend', level: 'warning', text: `${answer.backend}: what it keeps outside the database is shown as a reference; --resolve fetches what XComObjectStorageBackend keeps` });
    checks.push({ name: 'read-only', ...roleCheck(answer.may_write) });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    checks.push({ name: 'asked', level: 'error', text: `${printable(error.message)}\n${' '.repeat(21)}→ ${error.hint}`, code: error.code });
  }
  return checks;
}

function rightCheck(right: string, answer: boolean | null): Pick<Check, 'level' | 'text'> {
  if (answer === null) return { level: 'warning', text: `whether you may ${right} could not be told` };
  return answer ? { level: 'ok', text: `you may ${right}` } : { level: 'error', text: `you may not ${right}: \`leoflow xcom rbac\` prints the role that is needed` };
}

function roleCheck(mayWrite: readonly string[] | null): Pick<Check, 'level' | 'text'> {
  if (mayWrite === null) return { level: 'warning', text: 'what the database role may do could not be told; the transaction is read-only all the same' };
  if (mayWrite.length === 0) return { level: 'ok', text: 'the database role itself cannot write' };
  return { level: 'warning', text: `the role may write (${mayWrite.slice(0, 5).join(', ')}); what holds is the read-only transaction, the statements and their guard. Only a role without these rights is absolute` };
}

/** `xcom rbac`. */
export function rbacCommand(context: ReaderContext): Command {
  return readerCommand('rbac', 'Print the role that reading needs: look at pods, exec into them, nothing else.').option('-n, --namespace <name>', 'namespace of Airflow', 'airflow').option('--user <name>', 'who gets it', 'NAME').option('--port-forward', 'for the transport port-forward instead of exec')
    .addHelpText('after', '\nExample:\n  leoflow xcom rbac --namespace airflow --user jane@example.com | kubectl apply -f -\n')
    .action((flags: { readonly namespace: string; readonly user: string; readonly portForward?: boolean }) => context.out(manifest(flags)));
}

function manifest({ namespace, user, portForward }: { readonly namespace: string; readonly user: string; readonly portForward?: boolean }): string {
  const [place, person] = [JSON.stringify(namespace), JSON.stringify(user)];
  const way = portForward === true ? 'pods/portforward' : 'pods/exec';
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: xcom-reader, namespace: ${place}}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
  - {apiGroups: [""], resources: [${way}], verbs: [create, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: xcom-reader, namespace: ${place}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: xcom-reader}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: ${person}}
`;
}

/** `xcom probe`. */
export function probeCommand(context: ReaderContext): Command {
  return readerCommand('probe', 'Print the program that runs in the pod, to be read; or a script that does it all with Python and kubectl alone.').option('--standalone', 'the script: flags as of `xcom pull`')
    .addHelpText('after', '\nExample:\n  leoflow xcom probe --standalone > xcom-pull.py\n')
    .action(({ standalone }: { readonly standalone?: boolean }) => context.out(standalone === true ? readStandalone() : readProbe()));
}
