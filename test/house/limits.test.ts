// Limits: each one of the table is kept somewhere, so that nothing is bounded on paper only.
import { test } from 'node:test';
import { LIMITS, SETTINGS } from '#contract/config.ts';
import { assertNone, isTest, readSources } from './project.ts';

test('every limit and every setting is used', () => {
  const code = readSources('src').filter(({ path }) => !isTest(path) && path !== 'src/contract/config.ts').map((source) => source.code).join('\n');
  assertNone([
    ...Object.keys(LIMITS).filter((name) => !code.includes(`LIMITS.${name}`)).map((name) => `LIMITS.${name} is kept nowhere`),
    ...Object.keys(SETTINGS).filter((name) => !code.includes(name)).map((name) => `${name} is read nowhere`),
  ]);
});
