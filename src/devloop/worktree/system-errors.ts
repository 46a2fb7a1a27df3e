// What the operating system refuses, as a failure with a next step.
import { AppError } from '#contract/errors.ts';

const WORDS: Readonly<Record<string, (path: string) => AppError>> = {
  ENOSPC: (path) => new AppError('disk_full', `the disk of ${path} is full`),
  EDQUOT: (path) => new AppError('disk_full', `your quota on the disk of ${path} is used up`),
  ENAMETOOLONG: (path) => new AppError('worktree_refused', `the name is too long for the file system: ${path}`, { hint: 'Choose a shorter branch, or a shorter DIR. Nothing was changed.' }),
  EACCES: (path) => new AppError('file_unreadable', `${path} may not be read or written`),
  EPERM: (path) => new AppError('file_unreadable', `${path} may not be changed`),
  EROFS: (path) => new AppError('file_unreadable', `${path} lies on a disk that cannot be written`),
  EEXIST: (path) => new AppError('file_unreadable', `${path} is in the way`, { hint: 'Move it away, then run the command again.' }),
  ENOTDIR: (path) => new AppError('file_unreadable', `${path} lies below something that is no folder`, { hint: 'Move that file away, then run the command again.' }),
  ENOENT: (path) => new AppError('file_unreadable', `${path} went away meanwhile`, { hint: 'Run the command again.' }),
  EBUSY: (path) => new AppError('file_unreadable', `${path} is in use, perhaps as a mount`, { hint: 'Unmount it, then run the command again.' }),
};

/** The same failure for a person; what is no refusal of the operating system comes back as it is. @param place what is named where the system names nothing @param hint what follows the next step */
export function explained(error: unknown, place: string, hint?: string): unknown {
  if (!(error instanceof Error) || error instanceof AppError || !('code' in error) || typeof error.code !== 'string') return error;
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const found = WORDS[error.code]?.(shorten(String((error.code === 'ENOSPC' ? dest : undefined) ?? path ?? place)));
  return found === undefined ? error : new AppError(found.code, found.message, { cause: error, hint: hint === undefined ? found.hint : `${found.hint} ${hint}` });
}

/** Whether it says that nothing more can be written. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function shorten(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
