// Which role an operation needs: Airflow's access strings (`dag.RUN:GET`) by the rules of its simple auth manager.
import { type Role, ROLES } from '#contract/roles.ts';

/** `none`, or `resource[.ENTITY][:METHOD]`, several joined by `+`. */
export type Access = string;

interface Rule { readonly read: Role; readonly write: Role }

const DAG_RULE: Rule = { read: 'viewer', write: 'user' };
const OP_WRITES: Rule = { read: 'viewer', write: 'op' };
const OP_ONLY: Rule = { read: 'op', write: 'op' };

const RULES: Readonly<Record<string, Rule>> = {
  dag: DAG_RULE, backfill: DAG_RULE, asset: OP_WRITES, asset_alias: OP_WRITES, pool: OP_WRITES, configuration: OP_WRITES, view: { read: 'viewer', write: 'viewer' },
  connection: OP_ONLY, variable: OP_ONLY, pool_bulk: OP_ONLY, connection_bulk: OP_ONLY, variable_bulk: OP_ONLY,
  // Ours: a pushed version is code that the executors will run.
  version: { read: 'viewer', write: 'op' },
};

/** The weakest role that may; null for an operation without a session. Throws on a string that no rule knows. */
export function roleFor(access: Access): Role | null {
  if (access === 'none') return null;
  const roles = access.split('+').map(roleForOne);
  return ROLES[Math.max(...roles.map((role) => ROLES.indexOf(role)))] ?? 'admin';
}

function roleForOne(access: string): Role {
  const [resource = '', method] = access.split(':');
  const rule = RULES[resource.split('.')[0] ?? ''];
  if (rule === undefined) throw new Error(`no rule says who may ${access}`);
  return method === 'GET' ? rule.read : rule.write;
}
