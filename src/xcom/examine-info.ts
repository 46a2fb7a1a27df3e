// What Redis says about itself (INFO), judged as a place for values that must not go away by themselves.
import type { StoreExamination } from '#contract/value-store.ts';

/** @param info the answer of INFO; fields that are missing are not judged */
export function examineInfo(info: string): StoreExamination {
  const of = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const policy = of('maxmemory_policy') ?? 'noeviction';
  const warnings: string[] = [];
  if (policy.startsWith('volatile-')) warnings.push(`Redis’ maxmemory-policy ${policy} may drop values of DAGs with xcom.ttl_seconds before their time; noeviction does not`);
  if (of('aof_enabled') === '0') warnings.push('Redis keeps no append-only file (appendonly no): values since its last snapshot are lost when it dies, and tasks that read them fail with xcom_lost');
  if (of('cluster_enabled') === '1') warnings.push('Redis Cluster is not supported: use one Redis, with a replica if it must survive');
  const refusal = policy.startsWith('allkeys-') ? `Redis’ maxmemory-policy is ${policy}: it would drop values that rows still name` : null;
  return { refusal, warnings };
}
