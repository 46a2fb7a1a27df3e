// Where variables and connections come from, in Airflow's order: the backend, the environment of this process, the database.
import type { Secrets, SecretsBackend } from '#contract/secrets.ts';
import { findSecretVariable } from '#platform/config.ts';
import { findConnection } from '#store/connections.ts';
import { deleteVariable, findVariable, setVariable, type Vault } from '#store/variables.ts';
import { readConnection } from './read-connection.ts';

/** Looks up in all three places. @param backend null when none is configured */
export function createSecrets(vault: Vault, backend: SecretsBackend | null, environment?: NodeJS.ProcessEnv): Secrets {
  return {
    async findVariable(key) {
      const elsewhere = (await backend?.findVariable(key)) ?? findSecretVariable('VAR', key, environment);
      return elsewhere ?? (await findVariable(vault, key))?.value ?? null;
    },
    setVariable: (variable) => setVariable(vault, variable),
    deleteVariable: (key) => deleteVariable(vault, key),
    async findConnection(connId) {
      const kept = (await backend?.findConnection(connId)) ?? null;
      if (kept !== null) return kept;
      const given = findSecretVariable('CONN', connId, environment);
      return given === null ? findConnection(vault, connId) : readConnection(connId, given, 'the server’s environment');
    },
  };
}
