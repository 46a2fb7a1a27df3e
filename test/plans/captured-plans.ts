// Every plan that PostgreSQL executes for any connection of this process, as auto_explain tells it; so no query can be forgotten.
import pg from 'pg';

/** The tables that grow with history. */
export const GROWING = ['dag_runs', 'task_instances', 'executions', 'task_attempts', 'attempt_events', 'xcoms', 'xcom_values', 'dags'];

/** One execution of a statement. */
export interface CapturedPlan {
  /** `store/file.function`, or the beginning of a text that has no name. */
  readonly name: string;
  /** Rows of growing tables that were looked at: kept, filtered out, or found in an index and then not. */
  readonly rowsRead: number;
  readonly pages: number;
  /** Growing tables that were read from end to end. */
  readonly scanned: readonly string[];
  readonly text: string;
}

interface Node { readonly [key: string]: unknown; readonly Plans?: readonly Node[] }

const OPTIONS = [
  'session_preload_libraries=auto_explain', 'auto_explain.log_min_duration=0', 'auto_explain.log_analyze=on', 'auto_explain.log_timing=off', 'auto_explain.log_buffers=on', 'auto_explain.log_nested_statements=on',
  'auto_explain.log_format=json', 'auto_explain.log_level=notice', 'auto_explain.log_parameter_max_length=0', 'client_min_messages=notice',
].map((option) => ` -c ${option}`).join('');

/** From now on every new connection reports its plans here. Needs a superuser, which the embedded cluster's user is. `end` undoes it. @param growing the tables whose rows are counted */
export function capturePlans(growing: readonly string[] = GROWING): { take(): CapturedPlan[]; end(): void } {
  let plans: CapturedPlan[] = [];
  const { prototype } = pg.Client as unknown as { prototype: { connect(this: unknown, ...args: unknown[]): unknown } };
  // oxlint-disable-next-line unbound-method -- put back by `end`
  const { connect } = prototype;
  prototype.connect = function (this: unknown, ...args: unknown[]): unknown {
    const client = this as pg.Client & { connectionParameters: { options?: string } };
    client.connectionParameters.options = `${client.connectionParameters.options ?? ''}${OPTIONS}`;
    client.on('notice', (notice) => {
      const json = /^duration: [\d.]+ ms {2}plan:\n(\{.*)$/s.exec(notice.message ?? '')?.[1];
      if (json !== undefined) plans.push(readPlan(json, growing));
    });
    return connect.apply(this, args);
  };
  return {
    take() {
      const taken = plans;
      plans = [];
      return taken;
    },
    end: () => void (prototype.connect = connect),
  };
}

function readPlan(json: string, growing: readonly string[]): CapturedPlan {
  const whole = JSON.parse(json) as { 'Query Text': string; Plan: Node };
  const nodes = flatten(whole.Plan);
  const text = whole['Query Text'];
  const relations = nodes.filter((node) => growing.includes(String(node['Relation Name'])) && !isModify(node));
  return {
    name: /\/\* (store\/[\w.-]+) \*\//.exec(text)?.[1] ?? text.replaceAll(/\s+/g, ' ').slice(0, 90),
    rowsRead: relations.reduce((sum, node) => sum + rowsOf(node), 0),
    pages: numberOf(whole.Plan, 'Shared Hit Blocks') + numberOf(whole.Plan, 'Shared Read Blocks'),
    scanned: relations.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => String(node['Relation Name'])),
    text: JSON.stringify(whole, null, 1),
  };
}

const isModify = (node: Node): boolean => node['Node Type'] === 'ModifyTable';
const numberOf = (node: Node, key: string): number => Number(node[key] ?? 0);

function flatten(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

/** A bitmap's index finds rows that its heap scan may drop; both counts are per loop. */
function rowsOf(node: Node): number {
  const own = ['Actual Rows', 'Rows Removed by Filter', 'Rows Removed by Index Recheck', 'Rows Removed by Join Filter'].reduce((sum, key) => sum + numberOf(node, key), 0) * numberOf(node, 'Actual Loops');
  const bitmaps = (node.Plans ?? []).flatMap(flatten).filter((child) => child['Node Type'] === 'Bitmap Index Scan').reduce((sum, child) => sum + numberOf(child, 'Actual Rows') * numberOf(child, 'Actual Loops'), 0);
  return Math.round(Math.max(own, bitmaps));
}
