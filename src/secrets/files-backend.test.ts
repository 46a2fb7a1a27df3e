// Secrets in files, as Docker and Kubernetes mount them.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { testBackend } from '../../test/support/secrets-conformance.ts';
import { createFilesBackend } from './files-backend.ts';

function makeFolder(): { folder: string; remove: () => void } {
  const base = mkdtempSync(join(tmpdir(), 'leoflow-secrets-'));
  const folder = join(base, 'mounted');
  for (const kind of ['variables', 'connections']) mkdirSync(join(folder, kind), { recursive: true });
  return { folder, remove: () => rmSync(base, { recursive: true }) };
}

testBackend('files', () => {
  const { folder, remove } = makeFolder();
  return Promise.resolve({
    backend: createFilesBackend(folder),
    put: (kind, name, text) => writeFileSync(join(folder, kind, name), text),
    remove: (kind, name) => rmSync(join(folder, kind, name)),
    close: () => Promise.resolve(remove()),
  });
});

it('one newline at the end is the editor’s', async () => {
  const { folder, remove } = makeFolder();
  try {
    writeFileSync(join(folder, 'variables', 'a'), 'x\n\n');
    assert.equal(await createFilesBackend(folder).findVariable('a'), 'x\n');
  } finally {
    remove();
  }
});

it('links may stay inside, as Kubernetes’ do, and not lead out; a folder is no secret', async () => {
  const { folder, remove } = makeFolder();
  try {
    mkdirSync(join(folder, '..data'));
    writeFileSync(join(folder, '..data', 'inside'), 'x');
    symlinkSync(join('..', '..data', 'inside'), join(folder, 'variables', 'linked'));
    writeFileSync(join(folder, '..', 'outside'), 'canary');
    symlinkSync(join('..', '..', 'outside'), join(folder, 'variables', 'escaping'));
    mkdirSync(join(folder, 'variables', 'sub'));
    const backend = createFilesBackend(folder);
    assert.equal(await backend.findVariable('linked'), 'x');
    assert.equal(await backend.findVariable('sub'), null);
    await assert.rejects(backend.findVariable('escaping'), (error) => error instanceof AppError && error.code === 'secret_unreadable' && !error.message.includes('canary'));
  } finally {
    remove();
  }
});

it('what cannot be read is an error, not an absence', async () => {
  const { folder, remove } = makeFolder();
  try {
    symlinkSync('a', join(folder, 'variables', 'a'));
    await assert.rejects(createFilesBackend(folder).findVariable('a'), (error) => error instanceof AppError && error.code === 'secrets_unavailable' && /ELOOP/.test(error.message));
  } finally {
    remove();
  }
});
