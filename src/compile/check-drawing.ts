// What is wrong with the form of a dag.yaml document, entry by entry, so that each problem speaks of the form that was meant.
import { LIMITS } from '#contract/config.ts';
import { plainSchema } from '#contract/dag.ts';
import { type Drawing, DrawingFrame, ENTRY_FORMS } from '#contract/drawing.ts';
import { KEY_PATTERN } from '#contract/ids.ts';
import { suggest } from '#platform/config.ts';
import { type PlacedProblem, PlacedSchema, type PlacedYaml, type ValuePath } from './yaml-places.ts';

type Form = keyof typeof ENTRY_FORMS;
type Mapping = Readonly<Record<string, unknown>>;
const FORMS = Object.keys(ENTRY_FORMS) as Form[];
const KEY = new RegExp(KEY_PATTERN, 'u');
/** Of a DAG or group whose own words are wrong, these still say what its tasks may refer to. */
const KEPT_OF_DAG = ['dag_id', 'default_args'];
const KEPT_OF_GROUP = ['expand', 'expand_rows', 'prefix_group_id'];

const dagSchema = new PlacedSchema(() => plainSchema(DrawingFrame));
const formSchemas = new Map(FORMS.map((form) => [form, new PlacedSchema(() => plainSchema(ENTRY_FORMS[form]))]));

/** `sound` is what is left when whatever is wrong is taken out; entries that are wrong are null in it. Null: nothing is left. */
export interface CheckedDrawing { readonly problems: readonly PlacedProblem[]; readonly sound: Drawing | null }

/** Checks one document. @returns all problems, in the order of the text */
export function checkDrawing(document: PlacedYaml): CheckedDrawing {
  if (!isMapping(document.value)) {
    const found = Array.isArray(document.value) ? 'a list' : 'a single value';
    return { problems: [{ ...document.placeOf([]), message: `a DAG is a mapping with tasks: in it; this is ${found}` }], sound: null };
  }
  const check = new EntryCheck(document);
  const own = dagSchema.check(document).map((problem) => ({ ...problem, message: withoutRoot(problem.message) }));
  const tasks = check.entries(document.value['tasks'], ['tasks']);
  const kept = own.length === 0 ? document.value : pick(document.value, KEPT_OF_DAG);
  const problems = [...own, ...check.problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return { problems, sound: typeof (kept['dag_id'] ?? '') === 'string' ? { ...kept, tasks } as unknown as Drawing : null };
}

class EntryCheck {
  readonly problems: PlacedProblem[] = [];
  readonly #document: PlacedYaml;

  constructor(document: PlacedYaml) {
    this.#document = document;
  }

  entries(value: unknown, path: ValuePath): Record<string, unknown> {
    if (path.length > LIMITS.maxJsonDepth) {
      this.#say(path, `groups are nested deeper than ${LIMITS.maxJsonDepth / 2}`);
      return {};
    }
    if (!isMapping(value)) {
      this.#say(path, value === undefined ? 'tasks is missing: a mapping of tasks by their id' : 'tasks must be a mapping of tasks by their id');
      return {};
    }
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, this.#entry(entry, [...path, key])]));
  }

  #entry(value: unknown, path: ValuePath): unknown {
    const key = String(path.at(-1));
    if (!KEY.test(key)) this.#say(path, `${JSON.stringify(key)} is no id: 1 to 250 letters, digits, dashes, dots and underscores`);
    else if (!isMapping(value)) this.#say(path, `${key} must be a mapping: a task, or a group with tasks: in it`);
    else {
      const forms = FORMS.filter((form) => form in value);
      const [form] = forms;
      if (form !== undefined && forms.length === 1) return this.#formed(form, value, path);
      this.#say(path, forms.length === 0 ? `${key} says nothing to run: one of ${FORMS.join(', ')}${nearForm(value)}` : `${key} has ${forms.join(' and ')}: an entry has one of them`);
    }
    return null;
  }

  #formed(form: Form, value: Mapping, path: ValuePath): unknown {
    const before = this.problems.length;
    const inside: PlacedYaml = { value: form === 'tasks' ? { ...value, tasks: {} } : value, placeOf: (below, of) => this.#document.placeOf([...path, ...below], of) };
    const problems = formSchemas.get(form)?.check(inside) ?? [];
    this.problems.push(...problems.map((problem) => ({ ...problem, message: `${String(path.at(-1))}: ${withoutRoot(problem.message)}` })));
    const isSound = this.problems.length === before;
    if (form !== 'tasks') return isSound ? value : null;
    return { ...(isSound ? value : pick(value, KEPT_OF_GROUP)), tasks: this.entries(value['tasks'], [...path, 'tasks']) };
  }

  #say(path: ValuePath, message: string): void {
    this.problems.push({ ...this.#document.placeOf(path, 'key'), message });
  }
}

function withoutRoot(message: string): string {
  return message.replace(/^the document: /, '');
}

function nearForm(value: Mapping): string {
  return Object.keys(value).map((key) => suggest(key, FORMS)).find((found) => found !== '') ?? '';
}

function pick(value: Mapping, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in value).map((key) => [key, value[key]]));
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
