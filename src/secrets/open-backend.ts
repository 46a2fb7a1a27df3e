// The secrets backend that the settings name.
import { readFileSync } from 'node:fs';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { SecretsBackend } from '#contract/secrets.ts';
import { errorText } from '#platform/report.ts';
import { createFilesBackend } from './files-backend.ts';
import { createVaultBackend } from './vault-backend.ts';

/** Null when none is configured. Throws `invalid_config`. @param tokenFile what LEOFLOW_VAULT_TOKEN_FILE names: read for each request, since agents renew it */
export function openBackend(config: Config, tokenFile: string | null): SecretsBackend | null {
  switch (config.LEOFLOW_SECRETS_BACKEND) {
    case 'none': return null;
    case 'files': return createFilesBackend(needed(config.LEOFLOW_SECRETS_FOLDER, 'LEOFLOW_SECRETS_BACKEND=files needs LEOFLOW_SECRETS_FOLDER'));
    case 'vault': return createVaultBackend({
      url: needed(config.LEOFLOW_VAULT_URL, 'LEOFLOW_SECRETS_BACKEND=vault needs LEOFLOW_VAULT_URL'), token: tokenOf(config, tokenFile), mount: config.LEOFLOW_VAULT_MOUNT ?? 'secret', kvVersion: config.LEOFLOW_VAULT_KV_VERSION,
      variablesPath: config.LEOFLOW_VAULT_VARIABLES_PATH ?? '', connectionsPath: config.LEOFLOW_VAULT_CONNECTIONS_PATH ?? '', namespace: config.LEOFLOW_VAULT_NAMESPACE,
      ca: config.LEOFLOW_VAULT_CA_FILE === null ? null : textOf('LEOFLOW_VAULT_CA_FILE', config.LEOFLOW_VAULT_CA_FILE),
      timeoutMs: config.LEOFLOW_VAULT_TIMEOUT_SECONDS * 1000, cacheMs: config.LEOFLOW_VAULT_CACHE_SECONDS * 1000,
    });
  }
}

function needed(value: string | null, otherwise: string): string {
  if (value === null) throw new AppError('invalid_config', otherwise);
  return value;
}

function tokenOf(config: Config, file: string | null): () => string {
  if (file !== null) return () => textOf('LEOFLOW_VAULT_TOKEN_FILE', file).trim();
  const token = needed(config.LEOFLOW_VAULT_TOKEN, 'LEOFLOW_SECRETS_BACKEND=vault needs LEOFLOW_VAULT_TOKEN, or LEOFLOW_VAULT_TOKEN_FILE');
  return () => token;
}

function textOf(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('invalid_config', `${setting}: ${path} cannot be read (${errorText(cause)})`, { cause });
  }
}
