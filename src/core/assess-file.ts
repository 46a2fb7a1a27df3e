// What it would take to run a DAG file here: a verdict from what it imports and from what compiling it said.

/** One import that neither the standard library, the project nor our own runtime has. */
export interface ImportNeed {
  readonly needs: 'sdk' | 'removed' | 'package';
  /** The distribution or module that would answer. */
  readonly what: string;
  readonly name: string;
  readonly line: number;
  /** The file that imports it: the DAG file, or a module of the project that it uses. */
  readonly file: string;
}

/** What is known of a file. `kind` of a problem is the parser's word for it. */
export interface FileEvidence {
  readonly dags: readonly string[];
  readonly problems: readonly { readonly kind: string | null; readonly line: number | null; readonly message: string }[];
  readonly needs: readonly ImportNeed[];
}

/**
 * runs: as it is. packages: once they are installed. sdk: with the real Task SDK and the providers named. value: once a variable or connection is set.
 * cannot: not as it is written; Airflow 3 would refuse most of these as well. none: it holds no DAG.
 */
export type Verdict = 'runs' | 'packages' | 'sdk' | 'value' | 'cannot' | 'none';

/** A verdict with its reasons. */
export interface Assessment {
  readonly verdict: Verdict;
  /** Why, for people; empty when it runs. */
  readonly why: string;
  /** Distributions, packages, modules or names behind the verdict. */
  readonly what: readonly string[];
}

/** Decides on one file. What compiling it said counts; imports only say what else would be missing after the first. */
export function assessFile({ dags, problems, needs }: FileEvidence): Assessment {
  const [first] = problems;
  if (first === undefined) return dags.length > 0 ? { verdict: 'runs', why: '', what: [] } : { verdict: 'none', why: 'it holds no DAG', what: [] };
  const by = (kind: ImportNeed['needs']): readonly ImportNeed[] => needs.filter((need) => need.needs === kind);
  const removed = by('removed');
  if (removed.length > 0) return { verdict: 'cannot', why: `not in Airflow 3: ${removed.map((need) => `${need.name} (${need.file}:${need.line})`).join(', ')}`, what: removed.map((need) => need.name) };
  const kinds = new Set(problems.map((problem) => problem.kind));
  const sdk = [...new Set(by('sdk').map((need) => need.what))];
  const packages = [...new Set(by('package').map((need) => need.what))];
  const said = `${first.line === null ? '' : `line ${first.line}: `}${first.message.split('\n')[0]}`;
  if (kinds.has('unsupported_import') || kinds.has('unsupported_feature') || (kinds.has('missing_module') && sdk.length > 0)) {
    const why = sdk.length > 0 ? `${sdk.join(', ')}${packages.length > 0 ? `, and the packages ${packages.join(', ')}` : ''}` : said;
    return { verdict: 'sdk', why, what: [...sdk, ...packages] };
  }
  if (kinds.has('missing_module')) return { verdict: 'packages', why: packages.length > 0 ? packages.join(', ') : said, what: packages };
  if (kinds.has('missing_value')) return { verdict: 'value', why: said, what: [] };
  if (problems.every((problem) => problem.kind === 'no_dag')) return { verdict: 'none', why: 'it holds no DAG', what: [] };
  return { verdict: 'cannot', why: said, what: [] };
}
