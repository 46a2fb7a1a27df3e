// Names that belong to one working tree: its folder, its Compose project, its database, its variables.

/** `feature/x` as a folder name: `feature-x`. */
export function folderNameOf(branch: string): string {
  return branch.replaceAll('/', '-');
}

/** Folder and branch in characters that Docker Compose takes, made unique by `key`. */
export function composeNameOf(repository: string, branch: string, key: string): string {
  const plain = plainly(`${repository}-${branch}`, /[^a-z0-9_-]+/g, '-').replace(/^[^a-z0-9]+/, '');
  return `${plain.slice(0, 50).replace(/[-_]+$/, '') || 'tree'}-${key}`;
}

/** The same for a database: letters, digits and underscores, at most 63 of them. */
export function databaseNameOf(repository: string, branch: string, key: string): string {
  const plain = plainly(`${repository}_${branch}`, /[^a-z0-9]+/g, '_').replace(/^[^a-z]+/, '');
  return `${plain.slice(0, 50).replace(/_+$/, '') || 'tree'}_${key}`;
}

function plainly(text: string, foreign: RegExp, instead: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(foreign, instead);
}

/** `web` and `admin-api` as PORT_WEB and PORT_ADMIN_API. */
export function portVariableOf(name: string): string {
  return `PORT_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

/** A path as a line of an ignore file that names it and nothing else. A link is no folder: no slash at the end. */
export function ignoreLineOf(path: string): string {
  return `/${path.replace(/[\\*?[\]]/g, '\\$&').replace(/ $/, '\\ ')}`;
}

/** A path as a pattern of git that matches it and nothing else. */
export function literalPattern(path: string): string {
  return path.replace(/[\\*?[\]]/g, '\\$&');
}

/** What {{…}} stand in a text that no value is known for. */
export function unknownPlaceholders(text: string, values: Readonly<Record<string, string>>): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '').filter((name) => !Object.hasOwn(values, name)))];
}

/** The text with each {{name}} filled in. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => (Object.hasOwn(values, name) ? (values[name] ?? whole) : whole));
}

const PLACEHOLDER = /\{\{\s*([\w.-]+)\s*\}\}/g;

/** Where Claude Code keeps what it knows of a folder: its path, with dashes for everything that is no letter or digit. */
export function agentFolderOf(dir: string): string {
  return dir.replace(/[^A-Za-z0-9]/g, '-');
}

/** A word for a shell. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
