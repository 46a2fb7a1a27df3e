// Airflow's packaged DAGs, a zip with DAG files at its top: known when they are seen, and not read.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import type { CompileProblem } from './compiled.ts';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const MAX_DIRECTORY_BYTES = 16 * 1024 * 1024;
const MAX_MEMBER_BYTES = 4 * 1024 * 1024;
const STORED = 0;
const DEFLATED = 8;

interface Member { readonly name: string; readonly method: number; readonly bytes: number; readonly fullBytes: number; readonly offset: number }

/** Whether a file is a zip that Airflow would read DAGs from: a module at its top that mentions "dag" and "airflow". What cannot be read is none. */
export function isPackagedDag(path: string): boolean {
  if (!path.toLowerCase().endsWith('.zip')) return false;
  const file = tryOpen(path);
  if (file === null) return false;
  try {
    return membersOf(file).some((member) => /^[^/]+\.py$/.test(member.name) && member.name !== '__init__.py' && mentionsDags(file, member));
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

/** What to say of one. */
export function packagedDagProblem(file: string): CompileProblem {
  return {
    file, line: null, column: null, kind: 'packaged_dag', message: 'this is a packaged DAG, and zip files are not read',
    hint: 'Unpack it into a folder beside it; when its modules import each other from its top, name that folder in import_paths of leoflow.yaml.',
  };
}

function tryOpen(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

function readAt(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
}

/** The list at the end of the zip. A file that is none has no members. */
function membersOf(file: number): Member[] {
  const { size } = fstatSync(file);
  const length = Math.min(size, END_BYTES + MAX_COMMENT_BYTES);
  const tail = readAt(file, size - length, length);
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end -= 1;
  if (end < 0 || tail.readUInt32LE(end + 12) > MAX_DIRECTORY_BYTES) return [];
  const list = readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const members: Member[] = [];
  for (let at = 0; at + 46 <= list.length && list.readUInt32LE(at) === ENTRY; at += 46 + list.readUInt16LE(at + 28) + list.readUInt16LE(at + 30) + list.readUInt16LE(at + 32)) {
    members.push({ name: list.toString('utf8', at + 46, at + 46 + list.readUInt16LE(at + 28)), method: list.readUInt16LE(at + 10), bytes: list.readUInt32LE(at + 20), fullBytes: list.readUInt32LE(at + 24), offset: list.readUInt32LE(at + 42) });
  }
  return members;
}

function mentionsDags(file: number, { method, bytes, fullBytes, offset }: Member): boolean {
  if (fullBytes > MAX_MEMBER_BYTES || bytes > MAX_MEMBER_BYTES || (method !== STORED && method !== DEFLATED)) return false;
  const head = readAt(file, offset, 30);
  const content = readAt(file, offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28), bytes);
  const text = (method === STORED ? content : inflateRawSync(content, { maxOutputLength: MAX_MEMBER_BYTES })).toString('latin1');
  return /airflow/i.test(text) && /dag|asset/i.test(text);
}
