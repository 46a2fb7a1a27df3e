// Trigger hosts that are wanted: told once, begun again when they end, and later and later when they end soon each time.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { ToForkServer } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { TriggerHosts } from './trigger-hosts.ts';

const VERSION = 'v' as VersionId;
const ENDED = { op: 'host_ended', status: 4, signal: null } as const;

describe('the trigger host of a version', () => {
  let sent: ToForkServer[] = [];
  let hosts = new TriggerHosts();
  let now = 0;
  const place = { id: 'f', versionId: VERSION, state: 'ready', link: { send: (message: ToForkServer) => void sent.push(message) } as unknown as LineSocket<ToForkServer> };
  const at = { place, epoch: 3 };

  beforeEach(() => {
    [sent, hosts, now] = [[], new TriggerHosts(() => now), 0];
  });

  /** How long nobody begins another after the end of one, in steps of half a second. */
  function pauseAfterEnd(): number {
    hosts.onEnded(place, ENDED);
    const begun = sent.length;
    for (let waited = 0; ; waited += 500, now += 500) {
      hosts.keep(VERSION, at);
      if (sent.length > begun) return waited;
    }
  }

  it('is told once, and told no more when nobody waits', () => {
    hosts.want(VERSION, true, at);
    hosts.keep(VERSION, at);
    hosts.want(VERSION, false, at);
    hosts.keep(VERSION, at);
    assert.deepEqual(sent, [{ op: 'host', epoch: 3, wanted: true }, { op: 'host', epoch: 3, wanted: false }]);
  });

  it('begins again at once when it ends, and later and later when it ends soon each time', () => {
    hosts.want(VERSION, true, at);
    assert.deepEqual(Array.from({ length: 11 }, pauseAfterEnd), [0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    assert.match(hosts.onEnded(place, ENDED), /ended \(status 4\), the 12th in a row: another begins in 60 s$/);
  });

  it('that has lived for a while is no such one', () => {
    hosts.want(VERSION, true, at);
    for (let nth = 0; nth < 5; nth += 1) pauseAfterEnd();
    now += 10_000;
    assert.equal(pauseAfterEnd(), 0);
  });

  it('of a version that nobody waited for meanwhile begins anew', () => {
    hosts.want(VERSION, true, at);
    for (let nth = 0; nth < 5; nth += 1) pauseAfterEnd();
    hosts.onEnded(place, ENDED);
    hosts.want(VERSION, false, at);
    const before = sent.length;
    hosts.want(VERSION, true, at);
    assert.equal(sent.length, before + 1);
  });
});
