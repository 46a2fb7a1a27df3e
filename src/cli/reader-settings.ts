// How the XCom reader reaches a site: flags, then the environment, then a profile of reader.yaml, then leoflow.yaml, then the kubeconfig.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { suggest } from '#platform/config.ts';

/** What a profile and the flags may say. Secrets are none of it. */
export interface ReaderSite {
  readonly transport?: string;
  readonly kube_context?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly container?: string;
  readonly pod?: string;
  readonly python?: string;
  readonly kubectl?: string;
  readonly forward_to?: string;
  readonly server?: string;
  readonly user?: string;
  readonly timeout?: number;
}

/** Every key of a site. */
const KEYS = ['transport', 'kube_context', 'namespace', 'selector', 'container', 'pod', 'python', 'kubectl', 'forward_to', 'server', 'user', 'timeout'] as const satisfies readonly (keyof ReaderSite)[];

/** What a project may say: which pods. A repository that somebody cloned must not choose the programs that run here, nor who gets a token. */
const PROJECT_KEYS: readonly (keyof ReaderSite)[] = ['kube_context', 'namespace', 'selector', 'container', 'pod', 'timeout'];

/** What the environment says. */
function fromEnvironment(config: Config): ReaderSite {
  const given = {
    transport: config.LEOFLOW_READER_TRANSPORT, kube_context: config.LEOFLOW_READER_KUBE_CONTEXT, namespace: config.LEOFLOW_READER_NAMESPACE, selector: config.LEOFLOW_READER_SELECTOR,
    container: config.LEOFLOW_READER_CONTAINER, pod: config.LEOFLOW_READER_POD, python: config.LEOFLOW_READER_PYTHON, kubectl: config.LEOFLOW_READER_KUBECTL, forward_to: config.LEOFLOW_READER_FORWARD_TO,
    server: config.LEOFLOW_READER_SERVER, user: config.LEOFLOW_READER_USER, timeout: config.LEOFLOW_READER_TIMEOUT_SECONDS === 0 ? null : config.LEOFLOW_READER_TIMEOUT_SECONDS,
  } satisfies Record<(typeof KEYS)[number], string | number | null>;
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

/** The site's settings with where each came from. */
export interface ResolvedSite {
  readonly site: ReaderSite;
  readonly from: Readonly<Partial<Record<keyof ReaderSite, string>>>;
}

interface Sources {
  readonly flags: ReaderSite & { readonly profile?: string };
  readonly config: Config;
  /** Folder of reader.yaml. */
  readonly configFolder: string;
  /** Where the search for leoflow.yaml begins. */
  readonly folder: string;
}

/** Merges what each source says; the first that says something wins. Throws `reader_usage` for a file that cannot be read or says something unknown. */
export async function resolveSite(sources: Sources): Promise<ResolvedSite> {
  const { flags, config } = sources;
  const profile = await readProfile(sources, flags.profile ?? config.LEOFLOW_READER_PROFILE);
  const project = await readProject(sources.folder);
  const layers: [string, ReaderSite][] = [['flag', flags], ['environment', fromEnvironment(config)], ...profile, ...project];
  const site: Record<string, unknown> = {};
  const from: Record<string, string> = {};
  for (const key of KEYS) {
    const found = layers.find(([, layer]) => layer[key] !== undefined);
    if (found === undefined) continue;
    site[key] = checkName(key, found[1][key]);
    from[key] = found[0];
  }
  return { site, from };
}

const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
/** What becomes an argument of kubectl has the form that Kubernetes gives it: nothing can pass for a flag. */
const FORMS: Partial<Record<keyof ReaderSite, RegExp>> = { namespace: NAME, container: NAME, pod: NAME, selector: /^[A-Za-z0-9(!][A-Za-z0-9./_=!,() -]*$/, kube_context: /^[^-\s]/, server: /^https?:\/\/[^\s@]+$/, timeout: /^(?!0+(\.0*)?$)\d+(\.\d+)?$/ };

function checkName(key: keyof ReaderSite, value: unknown): unknown {
  const form = FORMS[key];
  if (form !== undefined && !form.test(String(value))) throw new AppError('reader_usage', `${key.replace('_', '-')}${key === 'server' ? '' : ` ${JSON.stringify(value)}`} has not the form of one`, key === 'server' ? { hint: 'It reads https://airflow.example, without a user or a password in it.' } : {});
  return value;
}

async function readYaml(path: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(readFileSync(path, 'utf8'), { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw new AppError('reader_usage', `${path}:${problem.linePos?.[0].line ?? 1}:${problem.linePos?.[0].col ?? 1}: ${problem.message.split('\n')[0] ?? ''}`, { hint: 'Mend the file at the place named.' });
  return document.toJS();
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkSite(value: unknown, where: string, allowed: readonly string[]): ReaderSite {
  const hint = `Known keys: ${allowed.join(', ')}.`;
  if (!isMap(value)) throw new AppError('reader_usage', `${where}: expected keys and values`, { hint });
  const problems = Object.entries(value).flatMap(([key, given]) => {
    if (!allowed.includes(key)) return [KEYS.some((known) => known === key) ? `${where}.${key}: a project may not say this; reader.yaml and flags may` : `${where}.${key}: no such key${suggest(key, allowed)}`];
    const wanted = key === 'timeout' ? 'number' : 'string';
    return typeof given === wanted ? [] : [`${where}.${key}: expected a ${wanted === 'string' ? 'text' : 'number of seconds'}`];
  });
  if (problems.length > 0) throw new AppError('reader_usage', problems.join('\n'), { hint });
  return value;
}

async function readProfile(sources: Sources, wanted: string | null): Promise<[string, ReaderSite][]> {
  const path = join(sources.configFolder, 'reader.yaml');
  if (!existsSync(path)) {
    if (wanted !== null) throw new AppError('reader_usage', `there is no profile ${wanted}: ${path} does not exist`, { hint: 'Write it: `profiles:`, below it names, below each the settings of that site.' });
    return [];
  }
  const file = (await readYaml(path)) ?? {};
  if (!isMap(file) || Object.keys(file).some((key) => key !== 'profiles' && key !== 'default')) throw new AppError('reader_usage', `${path}: expected \`profiles\` and, if wanted, \`default\``, { hint: 'See docs/guides/xcom-reader.md.' });
  const profiles = isMap(file['profiles']) ? file['profiles'] : {};
  const name = wanted ?? file['default'];
  if (name === undefined || name === null) return [];
  if (typeof name !== 'string') throw new AppError('reader_usage', `${path}: default: expected the name of a profile`);
  if (!Object.hasOwn(profiles, name)) throw new AppError('reader_usage', `there is no profile ${name} in ${path}${suggest(name, Object.keys(profiles))}`, { hint: `It has ${Object.keys(profiles).join(', ') || 'none'}.` });
  return [[`profile ${name}`, checkSite(profiles[name], `${path}: profiles.${name}`, KEYS)]];
}

/** The section of the nearest leoflow.yaml, looked for up to the folder with `.git`. */
async function readProject(folder: string): Promise<[string, ReaderSite][]> {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, 'leoflow.yaml');
    if (existsSync(path)) {
      const file = await readYaml(path);
      return isMap(file) && file['xcom_reader'] !== undefined ? [[path, checkSite(file['xcom_reader'], `${path}: xcom_reader`, PROJECT_KEYS)]] : [];
    }
    if (existsSync(join(at, '.git')) || dirname(at) === at) return [];
  }
}
