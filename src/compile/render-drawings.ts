// Drawings as the text of a dag.yaml: block style, the order a reader expects, short values on one line.
import { Document, isCollection, isMap, isPair, isScalar, stringify } from 'yaml';
import { Drawing, ENTRY_FORMS } from '#contract/drawing.ts';

const DAG_KEYS = Object.keys(Drawing.properties);
const BODIES = Object.keys(ENTRY_FORMS);
/** Arguments and lists stay on one line up to this width. */
const SHORT = 88;

/** One document per DAG. @param file the file that the drawings came from, where their functions are */
export function renderDrawings(drawings: readonly Drawing[], file: string): string {
  const header = `# Converted from ${file.replaceAll(/[\r\n]/g, ' ')}, which still holds the functions that run.\n`;
  return header + drawings.map(render).join('---\n');
}

function render(drawing: Drawing): string {
  const document = new Document(inOrder(drawing), { version: '1.2', schema: 'core', aliasDuplicateObjects: false });
  for (const [key, value] of pairsOf(document.contents)) {
    if (key === 'tasks') shortenEntries(value);
    else shorten(value);
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: false });
}

function shortenEntries(tasks: unknown): void {
  for (const [, entry] of pairsOf(tasks)) {
    for (const [key, value] of pairsOf(entry)) {
      if (key === 'tasks') shortenEntries(value);
      else shorten(value);
    }
  }
}

/** On one line when it fits, else the same for what is inside. */
function shorten(node: unknown): void {
  if (!isCollection(node)) return;
  const line = stringify(node.toJSON(), { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
  node.flow = line.length <= SHORT && !line.includes('\n');
  if (!node.flow) for (const item of node.items) shorten(isPair(item) ? item.value : item);
}

function pairsOf(node: unknown): (readonly [string, unknown])[] {
  return isMap(node) ? node.items.map((pair) => [String(isScalar(pair.key) ? pair.key.value : pair.key), pair.value] as const) : [];
}

function inOrder(drawing: Drawing): Record<string, unknown> {
  const said = drawing as unknown as Record<string, unknown>;
  const keys = [...DAG_KEYS.filter((key) => key in said && key !== 'tasks'), 'tasks'];
  return { ...Object.fromEntries(keys.map((key) => [key, said[key]])), tasks: entries(said['tasks'] as Record<string, unknown>) };
}

function entries(tasks: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(tasks).map(([id, entry]) => [id, entryInOrder(entry as Record<string, unknown>)]));
}

/** What runs first, then its arguments, then everything else; the tasks of a group last. */
function entryInOrder(entry: Record<string, unknown>): Record<string, unknown> {
  const { tasks, after, ...rest } = entry;
  const body = BODIES.find((key) => key in rest);
  const first = [body, 'decorator', 'with', 'expand', 'expand_rows'].filter((key) => key !== undefined && key in rest) as string[];
  const others = Object.keys(rest).filter((key) => !first.includes(key));
  return {
    ...Object.fromEntries([...first, ...others].map((key) => [key, rest[key]])),
    ...(after === undefined ? {} : { after }), ...(tasks === undefined ? {} : { tasks: entries(tasks as Record<string, unknown>) }),
  };
}
