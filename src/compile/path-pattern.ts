// Patterns of paths, as leoflow.yaml writes them.

/** A path or pattern (`*` and `?` within a name, `**` across folders) as an expression for relative paths: what it names, and everything below. */
export function pathPattern(pattern: string): RegExp {
  const anchored = pattern.replace(/^\.\//, '').replace(/\/+$/, '');
  if (anchored === '.' || anchored === '') return /^/;
  return new RegExp(`^${body(anchored.replace(/^\//, ''))}(/|$)`);
}

function body(glob: string): string {
  return glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('**/', '\u0002').replaceAll('**', '\u0001').replaceAll('*', '[^/]*').replaceAll('?', '[^/]').replaceAll('\u0001', '.*').replaceAll('\u0002', '(?:.*/)?');
}
