// INFO of Redis, judged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examineInfo } from './examine-info.ts';

const info = (policy: string, aof = '1'): string => `# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:${policy}\r\n# Persistence\r\naof_enabled:${aof}\r\n# Cluster\r\ncluster_enabled:0\r\n`;

test('a policy that drops any key is refused, one that drops expiring keys is named', () => {
  assert.deepEqual(examineInfo(info('noeviction')), { refusal: null, warnings: [] });
  for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) assert.match(examineInfo(info(policy)).refusal ?? '', new RegExp(policy));
  for (const policy of ['volatile-lru', 'volatile-ttl']) {
    assert.equal(examineInfo(info(policy)).refusal, null);
    assert.match(examineInfo(info(policy)).warnings.join(), new RegExp(policy));
  }
});

test('memory only, a cluster, and an answer without these fields', () => {
  assert.match(examineInfo(info('noeviction', '0')).warnings.join(), /append-only/);
  assert.match(examineInfo('cluster_enabled:1').warnings.join(), /Cluster/);
  assert.deepEqual(examineInfo(''), { refusal: null, warnings: [] });
});
