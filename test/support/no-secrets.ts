// Variables and connections of a server that has none.
import type { Secrets } from '#contract/secrets.ts';

export const NO_SECRETS: Secrets = {
  findVariable: () => Promise.resolve(null),
  setVariable: () => Promise.resolve(),
  deleteVariable: () => Promise.resolve(false),
  findConnection: () => Promise.resolve(null),
};
