// YAML with the place of every value: what is wrong in its syntax, or by a schema, as line and column, all at once.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { isAlias, isCollection, isMap, isPair, isScalar, LineCounter, parseAllDocuments, type Document, type ParsedNode } from 'yaml';
import { DURATION_PATTERN, REFERENCE_PATTERN } from '#contract/drawing.ts';
import { suggest } from '#platform/config.ts';

/** Keys and indexes from the document down to a value. */
export type ValuePath = readonly (string | number)[];
/** From 1, as editors count. */
export interface Place { readonly line: number; readonly column: number }
/** What is wrong there. */
export interface PlacedProblem extends Place { readonly message: string }

/** One document of a YAML text. */
export interface PlacedYaml {
  readonly value: unknown;
  /** Place of the value at the path; of its key with `key`. Of the nearest value above when there is none. */
  placeOf(path: ValuePath, of?: 'key' | 'value'): Place;
}

/** Values that aliases may repeat: more is a bomb. */
const MAX_ALIASES = 100;
const FAR_TOO_MANY = 100;

/** Reads every document of a text. With problems there is no document. Texts stay texts: `on` and `yes` are no booleans. */
export function readYaml(text: string): { readonly documents: readonly PlacedYaml[]; readonly problems: readonly PlacedProblem[] } {
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const parsed = parseAllDocuments(text.replace(/^\uFEFF/, ''), { lineCounter: lines, uniqueKeys: true, schema: 'core', merge: true, logLevel: 'error' });
  const documents = Array.isArray(parsed) ? parsed : [];
  const problems = documents.flatMap((document) => document.errors).map((error) => ({ ...at(error.pos[0]), message: plainMessage(error.message) }));
  if (problems.length > 0) return { documents: [], problems: problems.slice(0, FAR_TOO_MANY) };
  const read: PlacedYaml[] = [];
  for (const document of documents) {
    try {
      read.push({ value: document.toJS({ maxAliasCount: MAX_ALIASES }), placeOf: (path, of = 'value') => at(offsetOf(document, path, of)) });
    } catch (error) {
      problems.push({ ...at(document.range[0]), message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { documents: problems.length === 0 ? read : [], problems };
}

function plainMessage(message: string): string {
  if (/call stack|stack overflow/i.test(message)) return 'nested too deeply';
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}

function offsetOf(document: Document.Parsed, path: ValuePath, of: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (!isCollection(node)) return offset;
    const wantsKey = of === 'key' && depth === path.length - 1;
    const pair: unknown = isMap(node) ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part)) : null;
    const next: unknown = isPair(pair) ? (wantsKey ? pair.key : pair.value ?? pair.key) : isMap(node) ? undefined : node.get(part, true);
    const range = (next as ParsedNode | null | undefined)?.range;
    if (range === null || range === undefined) return offset;
    [offset] = range;
    node = next;
  }
  return offset;
}

/** A schema that says what is wrong in a reader's words. */
export class PlacedSchema {
  readonly #schema: () => Record<string, unknown>;
  #compiled: ValidateFunction | null = null;

  /** @param schema asked for when the first document is checked: most commands check none */
  constructor(schema: () => Record<string, unknown>) {
    this.#schema = schema;
  }

  /** All problems of a document, in the order of the text. */
  check(document: PlacedYaml): PlacedProblem[] {
    const validate = (this.#compiled ??= new Ajv2020({ allErrors: true, strict: false, verbose: true }).compile(this.#schema()));
    if (validate(document.value)) return [];
    const seen = new Map<string, PlacedProblem>();
    for (const error of likely(validate.errors ?? [])) {
      const path = pathOf(document.value, error.instancePath);
      const unknown = (error.params as { additionalProperty?: string }).additionalProperty;
      const place = unknown === undefined ? document.placeOf(path) : document.placeOf([...path, unknown], 'key');
      const message = `${path.length === 0 ? 'the document' : path.join('.')}: ${describe(error)}`;
      seen.set(`${place.line} ${place.column} ${message}`, { ...place, message });
    }
    return [...seen.values()].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, FAR_TOO_MANY);
  }
}

/** Of a choice between forms each form complains; those about the value's type only matter when no form of its type does. */
function likely(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = errors.filter((error) => error.keyword === 'anyOf');
  const kept = errors.filter((error) => {
    if (error.keyword === 'anyOf') return !errors.some((other) => other !== error && other.keyword !== 'type' && other.keyword !== 'anyOf' && isBelow(other, error));
    return error.keyword !== 'type' || !choices.some((choice) => choice.instancePath === error.instancePath && isBelow(error, choice));
  });
  return kept.length > 0 ? kept : errors;
}

function isBelow(error: ErrorObject, choice: ErrorObject): boolean {
  return error.instancePath.startsWith(choice.instancePath) && error.schemaPath.startsWith(`${choice.schemaPath}/`);
}

function pathOf(value: unknown, pointer: string): (string | number)[] {
  let inside = value;
  return pointer.split('/').slice(1).map((part) => {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const step = Array.isArray(inside) ? Number(key) : key;
    inside = typeof inside === 'object' && inside !== null ? (inside as Record<string | number, unknown>)[step] : undefined;
    return step;
  });
}

const KINDS: Readonly<Record<string, string>> = { object: 'a mapping', array: 'a list', string: 'a text', number: 'a number', integer: 'a whole number', boolean: 'true or false', null: 'nothing' };

/** What texts of a pattern are, for people. */
const FORMS: Readonly<Record<string, string>> = {
  [DURATION_PATTERN]: 'must be seconds, or a text such as 30s, 5m, 2h, 1h30m, 1d', [REFERENCE_PATTERN]: 'must name a function: file.py#function',
};

function describe(error: ErrorObject): string {
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
      return `unknown key ${key}${suggest(key, known)}`;
    }
    case 'required': return `${String(params['missingProperty'])} is missing`;
    case 'type': return `must be ${[params['type']].flat().map((type) => KINDS[String(type)] ?? String(type)).join(' or ')}`;
    case 'enum': {
      const known = (params['allowedValues'] as readonly unknown[]).map(String);
      return `must be one of ${known.join(', ')}${suggest(String(error.data), known)}`;
    }
    case 'anyOf': return `must be ${kindsOf(error.schema)}`;
    case 'pattern': return FORMS[String(params['pattern'])] ?? error.message ?? error.keyword;
    case 'minimum': return `must be at least ${String(params['limit'])}`;
    case 'maximum': return `must be at most ${String(params['limit'])}`;
    case 'exclusiveMinimum': return `must be more than ${String(params['limit'])}`;
    default: return error.message ?? error.keyword;
  }
}

function kindsOf(schema: unknown): string {
  const forms = Array.isArray(schema) ? (schema as { type?: string; pattern?: string }[]) : [];
  return [...new Set(forms.map((form) => KINDS[form.type ?? ''] ?? 'of another form'))].join(' or ');
}
