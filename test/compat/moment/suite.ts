// Code that looks at the clock or at a variable while it is imported sees what holds when its task runs, as under Airflow: for one runtime.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { temporaryFolder } from '../../support/cli.ts';
import { type Lite, startLite } from '../../support/lite.ts';

interface Told { readonly colour: string; readonly imported: string }

/** Registers the tests. */
export function describeMoment(runtime: 'airflow' | 'leoflow', options: { readonly skip?: string | false; readonly environment?: () => Readonly<Record<string, string>> } = {}): void {
  describe(`code that looks at the moment while it is imported, runtime ${runtime}`, { skip: options.skip ?? false }, () => {
    const place = temporaryFolder();
    const dags = join(place.path, 'dags');
    const notes = join(place.path, 'notes');
    let lite: Lite;

    before(async () => {
      const home = join(place.path, 'home');
      mkdirSync(home, { mode: 0o755 });
      cpSync(join(import.meta.dirname, 'dags'), dags, { recursive: true });
      writeFileSync(join(dags, 'leoflow.yaml'), `runtime: ${runtime}\n`);
      lite = await startLite(home, dags, { ...options.environment?.(), MOMENT_NOTES: notes });
    }, { timeout: 100_000 });
    after(async () => {
      await lite.running.stop();
      place.remove();
    });

    const noted = (): string[] => (existsSync(notes) ? readFileSync(notes, 'utf8').split('\n').slice(0, -1) : []);
    /** Runs it, and waits for its callback. */
    const tell = async (): Promise<Told> => {
      const before = noted().length;
      const { path, state } = await lite.run('moment');
      assert.equal(state, 'success');
      const { content } = await lite.call<{ content: { event: string }[] }>('GET', `${path}/taskInstances/tell/logs/1?full_content=true`);
      assert.equal(content.filter(({ event }) => event === 'said while it is imported').length, 1, JSON.stringify(content));
      await lite.until('its callback', () => Promise.resolve(noted().length > before ? true : null));
      return lite.returned<Told>(path, 'tell');
    };

    test('each task and each callback sees the variable as it is, also in a module of the project, each task its own time', { timeout: 90_000 }, async () => {
      const told = [await tell()];
      await lite.call('POST', '/variables', { key: 'colour', value: 'red' });
      told.push(await tell());
      await lite.call('PATCH', '/variables/colour', { key: 'colour', value: 'blue' });
      told.push(await tell());
      assert.deepEqual(told.map(({ colour }) => colour), ['none', 'red', 'blue']);
      assert.equal(new Set(told.map(({ imported }) => imported)).size, 3);
      assert.deepEqual(noted(), ['moment none', 'moment red', 'moment blue']);
    });
  });
}
