// Which lines of requirements travel with a version: those that mean the same on every machine.

/** Why a line cannot travel; null when it can. Options of pip could read files of the machine that builds. */
export function requirementFault(line: string): string | null {
  if (line.startsWith('-')) return 'options of pip do not travel with a version';
  if (/^[./~]|^file:|@ *(?:file:|[./~])|[\r\n]/.test(line)) return 'a path does not travel with a version';
  if (!/^[A-Za-z0-9]/.test(line)) return 'it names no package';
  return null;
}
