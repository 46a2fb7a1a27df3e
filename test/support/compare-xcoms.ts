// What the reader shows beside what an Airflow itself read: the same values, told in two ways.
import type { PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import type { RecordedXCom } from './xcom-databases.ts';

type Tagged = { readonly $type: string } & Readonly<Record<string, unknown>>;

/** A pull as its command printed it. Integers that a double cannot hold are told as recorded ones are. */
export function parsePull(text: string): XComPull {
  const keepInteger = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? { $type: 'int', value: context?.source } : value;
  return (JSON.parse as (text: string, reviver: typeof keepInteger) => XComPull)(text, keepInteger);
}

/** Where a pull of XComs and the recorded ones differ, one line each; none when they tell the same. */
export function compareXComs(pulled: readonly PulledXCom[], recorded: readonly RecordedXCom[]): string[] {
  const identity = (xcom: RecordedXCom | PulledXCom): string => `${xcom.run_id} ${xcom.task_id}[${xcom.map_index}] ${xcom.key}`;
  const wanted = new Map(recorded.map((xcom) => [identity(xcom), xcom]));
  const found = new Map(pulled.map((xcom) => [identity(xcom), xcom]));
  return [
    ...[...wanted.keys()].filter((id) => !found.has(id)).map((id) => `${id}: not pulled`),
    ...[...found.keys()].filter((id) => !wanted.has(id)).map((id) => `${id}: never recorded`),
    ...(found.size === pulled.length ? [] : ['a row came twice']),
    ...[...wanted].flatMap(([id, xcom]) => {
      const other = found.get(id);
      return other === undefined ? [] : compareOne(other, xcom).map((problem) => `${id}: ${problem}`);
    }),
  ];
}

function compareOne(pulled: PulledXCom, recorded: RecordedXCom): string[] {
  const problems: string[] = [];
  const encodings = recorded.storage === 'pickle' ? ['pickle'] : ['json', 'text', 'null'];
  if (!encodings.includes(pulled.encoding)) problems.push(`encoding ${pulled.encoding} of a stored ${recorded.storage}`);
  if (pulled.storage !== (recorded.storage === 'json' ? 'json' : 'bytes')) problems.push(`storage ${pulled.storage} of a stored ${recorded.storage}`);
  if (recorded.raw !== undefined && pulled.raw !== recorded.raw) problems.push(`raw ${String(pulled.raw)} is not ${recorded.raw}`);
  if (pulled.timestamp === null || Date.parse(pulled.timestamp) !== Date.parse(recorded.timestamp)) problems.push(`timestamp ${String(pulled.timestamp)} is not ${recorded.timestamp}`);
  if (!isShownAs(pulled.value, recorded.storage === 'json' ? innerOf(recorded.value) : recorded.value)) problems.push(`${JSON.stringify(pulled.value)} is not ${JSON.stringify(recorded.value)}`);
  return problems;
}

/** A JSON column's string that holds a list or an object was encoded twice, and the reader takes the inner layer off. */
function innerOf(value: unknown): unknown {
  if (typeof value !== 'string' || !/^[[{]/.test(value)) return value;
  const inner = JSON.parse(value) as unknown;
  const envelope = inner as { __classname__?: string };
  return envelope.__classname__ === undefined ? inner : { $type: 'an envelope', class: envelope.__classname__ };
}

/** Whether a value as the reader shows it is the recorded one. */
function isShownAs(shown: unknown, recorded: unknown): boolean {
  if (Array.isArray(recorded)) return Array.isArray(shown) && shown.length === recorded.length && recorded.every((item, at) => isShownAs(shown[at], item));
  if (typeof recorded !== 'object' || recorded === null) return Object.is(shown, recorded);
  if ('$type' in recorded) return isTaggedShownAs(shown, recorded as Tagged);
  if (typeof shown !== 'object' || shown === null) return false;
  const keys = Object.keys(recorded);
  return keys.length === Object.keys(shown).length && keys.every((key) => key in shown && isShownAs((shown as Record<string, unknown>)[key], (recorded as Record<string, unknown>)[key]));
}

const SAME_TEXT = /^(decimal\.Decimal|uuid\.UUID|datetime\.(date|time))$/;
const FLOATS: Readonly<Record<string, string>> = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' };

function isTaggedShownAs(shown: unknown, recorded: Tagged): boolean {
  const { $type: type, value } = recorded;
  if (SAME_TEXT.test(type)) return shown === value;
  if (type === 'int') return isSame(shown, recorded);
  if (type === 'float') return isSame(shown, { $float: FLOATS[String(value)] });
  if (/datetime$|DateTime$/.test(type)) return isSameMoment(shown, String(value));
  if (type === 'datetime.timedelta') return shown === Number(recorded['days']) * 86_400 + Number(recorded['seconds']) + Number(recorded['microseconds']) / 1e6;
  if (/^builtins\.(frozen)?set$/.test(type)) return Array.isArray(shown) && isSame(shown.map((item) => JSON.stringify(item)).sort(), (value as unknown[]).map((item) => JSON.stringify(item)).sort());
  if (type === 'builtins.tuple') return isShownAs(shown, value);
  if (type === 'builtins.bytes') return isSame(shown, { $bytes: recorded['base64'] });
  if (type === 'collections.OrderedDict') return isShownAs(shown, Object.fromEntries(recorded['items'] as [string, unknown][]));
  if (type === 'builtins.dict') return isShownAs(shown, { $dict: recorded['items'] });
  return isNamed(shown, recorded);
}

/** Classes that are not loaded: the name is told, and the state of a site's own. What Airflow itself refuses has some text. */
function isNamed(shown: unknown, recorded: Tagged): boolean {
  if (/^(refused by Airflow|an envelope)$/.test(recorded.$type)) return shown !== null && shown !== undefined;
  if (recorded.$type === 'builtins.complex') return typeof shown === 'object' && shown !== null && '$complex' in shown;
  if (typeof shown !== 'object' || shown === null || !('$class' in shown)) return false;
  if (!recorded.$type.startsWith('warehouse.')) return true;
  const state = 'state' in shown ? shown.state : 'data' in shown ? shown.data : null;
  return shown.$class === recorded.$type && (recorded['state'] === undefined || isShownAs(state, recorded['state']));
}

/** The same moment; a date and time without a zone may be told with one, as the moment it was stored as. */
function isSameMoment(shown: unknown, recorded: string): boolean {
  if (typeof shown !== 'string') return false;
  return shown.startsWith(recorded) || Date.parse(shown) === Date.parse(recorded);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
