// Watches a folder and everything below it, folder by folder: a file that is replaced by a rename is still seen.
import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join, relative, sep } from 'node:path';

const MAX_FOLDERS = 5000;

/** What to leave out: called with the folder's own name. */
type SkipFolder = (name: string) => boolean;

/**
 * Calls `onChange` with the path (below `root`, with `/`) of whatever was written, made, renamed or removed.
 * NOTE: Node's own recursive mode watches single files on Linux and loses one that an editor replaces.
 * @returns a function that ends it
 */
export function watchFolder(root: string, handlers: { onChange: (path: string) => void; onError: (error: unknown) => void; skip: SkipFolder }): () => void {
  const watchers = new Map<string, FSWatcher>();
  const add = (folder: string): void => {
    if (watchers.has(folder) || watchers.size >= MAX_FOLDERS) return;
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null) return;
        const path = join(folder, name);
        handlers.onChange(relative(root, path).split(sep).join('/'));
        addBelow(path);
      });
      watcher.on('error', () => remove(folder));
      watchers.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory() && !handlers.skip(entry.name)) add(join(folder, entry.name));
    } catch (error) {
      if (folder === root) handlers.onError(error);
    }
  };
  /** A new folder may hold files already: they are told too. One that was removed, and perhaps made anew, has a dead watcher. */
  const addBelow = (path: string): void => {
    for (const folder of [...watchers.keys()].filter((one) => one === path || one.startsWith(`${path}${sep}`))) remove(folder);
    try {
      const entries = readdirSync(path, { withFileTypes: true });
      if (handlers.skip(path.split(sep).at(-1) ?? '')) return;
      add(path);
      for (const entry of entries) handlers.onChange(relative(root, join(path, entry.name)).split(sep).join('/'));
    } catch {
      // It is no folder, or gone again.
    }
  };
  const remove = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  add(root);
  return () => {
    for (const folder of [...watchers.keys()]) remove(folder);
  };
}
