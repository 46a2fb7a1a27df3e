// What a schedule on assets waits for: the assets, aliases and references that it names, and whether events that came make it hold.
import type { Timetable } from '#contract/dag.ts';

/** A trigger that watches for something outside. `kwargs` as Airflow serialized them. */
export interface NamedWatcher { readonly name: string; readonly classpath: string; readonly kwargs: unknown }

/** An asset as a schedule writes it down. */
export interface NamedAsset { readonly name: string; readonly uri: string; readonly group: string; readonly extra: unknown; readonly watchers: readonly NamedWatcher[] }

/** Everything that a condition names. `names` and `uris` are of assets that are declared elsewhere. */
export interface ConditionParts {
  readonly assets: NamedAsset[];
  readonly aliases: { readonly name: string; readonly group: string }[];
  readonly names: string[];
  readonly uris: string[];
}

/** An asset that events are queued of. `aliases` are those that it was ever given to. */
export interface QueuedAsset { readonly name: string; readonly uri: string; readonly isActive: boolean; readonly aliases: readonly string[] }

type Fields = Readonly<Record<string, unknown>>;

/** The condition of a timetable that waits for assets; null when it waits for none. */
export function conditionOf(timetable: Timetable): unknown {
  switch (timetable.kind) {
    case 'assets':
    case 'asset_or_time': return timetable.condition;
    case 'custom': return fieldsOf(timetable.data)['asset_condition'] ?? null;
    default: return null;
  }
}

/** What a condition names, each thing as often as it stands there. */
export function partsOfCondition(condition: unknown, into: ConditionParts = { assets: [], aliases: [], names: [], uris: [] }): ConditionParts {
  const fields = fieldsOf(condition);
  const [name, uri] = [textOf(fields['name']), textOf(fields['uri'])];
  switch (fields['__type']) {
    case 'asset': into.assets.push({ name: name ?? '', uri: uri ?? '', group: textOf(fields['group']) ?? 'asset', extra: fields['extra'] ?? {}, watchers: listOf(fields['watchers']).map(watcherOf) }); break;
    case 'asset_alias': into.aliases.push({ name: name ?? '', group: textOf(fields['group']) ?? 'asset' }); break;
    case 'asset_ref':
      if (name !== null) into.names.push(name);
      else if (uri !== null) into.uris.push(uri);
      break;
    default: for (const part of listOf(fields['objects'])) partsOfCondition(part, into);
  }
  return into;
}

/** Whether the condition holds when these assets have events. Source: Airflow 3.2.1 `AssetEvaluator`. */
export function conditionHolds(condition: unknown, queued: readonly QueuedAsset[]): boolean {
  const fields = fieldsOf(condition);
  const { __type: type, name, uri } = fields;
  switch (type) {
    case 'asset': return queued.some((asset) => asset.name === name && asset.uri === uri);
    case 'asset_alias': return queued.some(({ aliases }) => aliases.some((alias) => alias === name));
    case 'asset_ref': return queued.some((asset) => asset.isActive && (typeof name === 'string' ? asset.name === name : asset.uri === uri));
    case 'asset_any': return listOf(fields['objects']).some((part) => conditionHolds(part, queued));
    case 'asset_all': return listOf(fields['objects']).every((part) => conditionHolds(part, queued));
    default: return false;
  }
}

function watcherOf(value: unknown): NamedWatcher {
  const { name, trigger } = fieldsOf(value);
  const { classpath, kwargs } = fieldsOf(trigger);
  return { name: textOf(name) ?? '', classpath: textOf(classpath) ?? '', kwargs: kwargs ?? {} };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
