// Whether a run's conf fits the DAG's params: what Airflow's ParamsDict.validate refuses when a run is triggered.
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Dag } from '#contract/dag.ts';

// Airflow's form hints such as `format: multiline` mean nothing to a validator.
const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false });
addFormats.default(ajv);

/**
 * Checks each param's value: the conf's, else its default. Keys of conf that are no param pass.
 * @returns one text per param that does not fit, in Airflow's words
 */
export function checkConf(dag: Pick<Dag, 'params'>, conf: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(dag.params ?? {}).flatMap(([name, param]) => {
    const value = name in conf ? conf[name] : param.default;
    if (value === undefined) return [`Invalid input for param ${name}: No value passed and Param has no default value`];
    const fault = param.schema === undefined ? null : findFault(param.schema, value);
    return fault === null ? [] : [`Invalid input for param ${name}: ${fault}`];
  });
}

/** A schema that is itself wrong is the DAG's fault, found where the task reads the param: it refuses nothing here. */
function findFault(schema: Readonly<Record<string, unknown>>, value: unknown): string | null {
  try {
    return ajv.validate(schema, value) ? null : ajv.errorsText(ajv.errors, { dataVar: 'value' });
  } catch {
    return null;
  }
}
