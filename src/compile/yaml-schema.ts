// The JSON Schema of a dag.yaml, as editors read it: without references, with the arguments of each operator.
import { plainSchema } from '#contract/dag.ts';
import { Drawing } from '#contract/drawing.ts';
import { OPERATORS } from '#contract/operators.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Where the published schema lies; also the `$id` inside it. */
export const YAML_SCHEMA_URL = 'https://leoflow.dev/schemas/dag-yaml-1.0.json';

/** JSON Schema 2020-12 of one document of a dag.yaml. */
export function yamlSchema(): Record<string, unknown> {
  const { $defs: _none, ...schema } = plainSchema(Drawing);
  return withOperators(schema) as Record<string, unknown>;
}

/** Adds to each form that names an operator what the operators it may name take. */
function withOperators(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withOperators);
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withOperators(item)]));
  const { properties } = inner as { properties?: Schema };
  if (properties?.['operator'] === undefined) return inner;
  const named = { ...(properties['operator'] as Schema), anyOf: [{ enum: Object.keys(OPERATORS) }, { type: 'string' }] };
  return { ...inner, properties: { ...properties, operator: named }, allOf: Object.keys(OPERATORS).map(branchOf) };
}

function branchOf(name: string): Schema {
  const operator = OPERATORS[name];
  const own = Object.entries(operator?.arguments ?? {}).map(([argument, annotation]) => [argument, annotation === '' || annotation === 'Any' ? {} : { description: `${annotation} in Python` }]);
  const whenNamed = { properties: { operator: { const: name } }, required: ['operator'] };
  // By variables: a literal key `then` would be taken for a promise.
  const [condition, consequence] = ['if', 'then'];
  return { [condition]: whenNamed, [consequence]: { description: operator?.about, properties: Object.fromEntries(own) } };
}
