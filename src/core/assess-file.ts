// What it would take to run a DAG file here: a verdict from what it imports and from what compiling it said.

/** Something that the text of a file needs and neither the standard library, the project nor our own runtime has. */
export interface ImportNeed {
  readonly needs: 'sdk' | 'removed' | 'package' | 'variable' | 'context';
  /** The distribution, module, argument, variable or key of the context. */
  readonly what: string;
  readonly name: string;
  readonly line: number;
  /** The file that asks for it: the DAG file, or a module of the project that it uses. */
  readonly file: string;
  /** Inside a function: a task asks for it, not the import. */
  readonly late: boolean;
}

/** What is known of a file. `kind` of a problem is the parser's word for it. */
export interface FileEvidence {
  readonly dags: readonly string[];
  readonly problems: readonly { readonly kind: string | null; readonly line: number | null; readonly message: string }[];
  readonly needs: readonly ImportNeed[];
  /** Nothing in it can make a DAG: functions for other files. */
  readonly definesOnly: boolean;
}

/**
 * runs: as it is. packages: once they are installed. sdk: with runtime airflow and the providers named. value: once a variable or connection is set.
 * cannot: not as it is written; Airflow 3 would refuse most of these as well. none: it holds no DAG.
 */
export type Verdict = 'runs' | 'packages' | 'sdk' | 'value' | 'cannot' | 'none';

/** A verdict with its reasons. */
export interface Assessment {
  readonly verdict: Verdict;
  /** Why, for people; empty when it runs and nothing is to be said. */
  readonly why: string;
  /** Distributions, packages, modules or names behind the verdict. */
  readonly what: readonly string[];
}

/** Kinds of problems that a file of functions for other files has for want of something. */
const MISSING = new Set(['no_dag', 'missing_module', 'missing_value', 'unsupported_import', 'unsupported_feature']);
const NO_DAG: Assessment = { verdict: 'none', why: 'it holds no DAG', what: [] };

/** Decides on one file. What compiling it said counts; its text only says what else would be missing after the first. */
export function assessFile({ dags, problems, needs, definesOnly }: FileEvidence): Assessment {
  const [first] = problems;
  if (first === undefined) return dags.length > 0 ? assessTasks(needs) : NO_DAG;
  const isOnlyMissing = problems.every((problem) => problem.kind !== null && MISSING.has(problem.kind));
  if (problems.every((problem) => problem.kind === 'no_dag') || (definesOnly && isOnlyMissing)) return NO_DAG;
  // A function may well be called while the file is imported: then compiling says so.
  const counted = needs.filter((need) => !need.late || first.message.includes(need.name) || first.message.includes(`'${need.what}'`));
  const removed = counted.filter((need) => need.needs === 'removed');
  if (removed.length > 0) return { verdict: 'cannot', why: `not in Airflow 3: ${removed.map((need) => `${need.name} (${need.file}:${need.line})`).join(', ')}`, what: whatOf(removed) };
  return assessProblems(problems, counted);
}

function assessProblems(problems: FileEvidence['problems'], needs: readonly ImportNeed[]): Assessment {
  const by = (kind: ImportNeed['needs']): readonly string[] => whatOf(needs.filter((need) => need.needs === kind));
  const [sdk, packages, variables] = [by('sdk'), by('package'), by('variable')];
  const kinds = new Set(problems.map((problem) => problem.kind));
  const said = problems.slice(0, 1).map(({ line, message }) => `${line === null ? '' : `line ${line}: `}${message.split('\n')[0]}`).join('');
  const values = variables.length === 0 ? [] : [`at import the ${variables.length === 1 ? 'variable' : 'variables'} ${variables.join(', ')}`];
  const lacksAttribute = problems.some(({ message }) => /^AttributeError: module 'airflow\b/.test(message)) && sdk.length > 0;
  if (kinds.has('unsupported_import') || kinds.has('unsupported_feature') || lacksAttribute || (kinds.has('missing_module') && sdk.length > 0)) {
    const why = sdk.length > 0 ? [sdk.join(', '), ...(packages.length > 0 ? [`the packages ${packages.join(', ')}`] : []), ...values].join(', and ') : said;
    return { verdict: 'sdk', why, what: [...sdk, ...packages, ...variables] };
  }
  if (kinds.has('missing_module')) return { verdict: 'packages', why: packages.length > 0 ? [packages.join(', '), ...values].join(', and ') : said, what: [...packages, ...variables] };
  if (kinds.has('missing_value')) return { verdict: 'value', why: said, what: variables };
  return { verdict: 'cannot', why: said, what: [] };
}

/** It compiles. What its tasks need is not known to be used, and worth knowing. */
function assessTasks(needs: readonly ImportNeed[]): Assessment {
  const what = whatOf(needs.filter((need) => need.needs === 'context' || (need.late && need.needs !== 'variable')));
  return { verdict: 'runs', why: what.length === 0 ? '' : `tasks that need ${what.join(', ')} would fail`, what };
}

function whatOf(needs: readonly ImportNeed[]): readonly string[] {
  return [...new Set(needs.map((need) => need.what))];
}
