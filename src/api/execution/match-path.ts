// Finds the route of a path as Airflow's server does: decoded first, the first pattern that fits wins.

/** Something with a path pattern: `{name}` is one segment, `{name:path}` any number of them, also none. */
interface Patterned { readonly path: string; readonly method: string }

/** A pattern ready to be matched. */
interface Compiled<R> {
  readonly route: R;
  readonly names: readonly string[];
  readonly expression: RegExp;
}

/** What was found: a route with its parameters, or the methods that the path takes, of which none when it is not there. */
type Match<R> = { readonly kind: 'route'; readonly route: R; readonly params: Readonly<Record<string, string>> } | { readonly kind: 'no_route'; readonly allowed: readonly string[] };

/** Compiles a table of routes. */
export function createMatcher<R extends Patterned>(routes: readonly R[]): (method: string, path: string) => Match<R> {
  const compiled = routes.map(compile);
  return (method, path) => {
    const decoded = decodePath(path);
    const allowed: string[] = [];
    for (const { route, names, expression } of compiled) {
      const match = expression.exec(decoded);
      if (match === null) continue;
      if (route.method === method) return { kind: 'route', route, params: Object.fromEntries(names.map((name, at) => [name, match[at + 1] ?? ''])) };
      if (!allowed.includes(route.method)) allowed.push(route.method);
    }
    return { kind: 'no_route', allowed };
  };
}

function compile<R extends Patterned>(route: R): Compiled<R> {
  const names: string[] = [];
  const pattern = route.path.split(/(\{[^}]+\})/).map((part) => {
    const [, name, kind] = /^\{(\w+)(:path)?\}$/.exec(part) ?? [];
    if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    names.push(name);
    return kind === undefined ? '([^/]+)' : '([\\s\\S]*)';
  }).join('');
  return { route, names, expression: new RegExp(`^${pattern}$`) };
}

/** Percent escapes decoded; those that are no text stay as they are. */
function decodePath(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
