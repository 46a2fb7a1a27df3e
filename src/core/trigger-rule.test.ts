// Every trigger rule on every multiset of up to four upstream states, against what Airflow's own TriggerRuleDep said.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { TRIGGER_RULES, type TriggerRule } from '#contract/dag.ts';
import { evaluateTriggerRule, explainTriggerRule, type UpstreamCounts } from './trigger-rule.ts';

type State = string | null;
interface Recorded {
  maxUpstream: number;
  states: State[];
  setupStates: State[];
  rows: { rule: TriggerRule; mapIndex: number; withSetups?: true; verdicts: string }[];
}
const recorded = JSON.parse(readFileSync(new URL('../../test/oracle/trigger-rules.json', import.meta.url), 'utf8')) as Recorded;

const LETTERS: Record<string, string> = { run: 'r', wait: 'w', skipped: 's', upstream_failed: 'u', removed: 'x' };
const NONE: UpstreamCounts = { total: 0, success: 0, skipped: 0, failed: 0, upstreamFailed: 0, removed: 0 };

/** Every multiset of up to `max` members: by size, then in the alphabet's order, as the recorder lists them. */
function multisets<T>(alphabet: readonly T[], max: number): T[][] {
  const ofSize = (size: number, from: number): T[][] =>
    size === 0 ? [[]] : alphabet.slice(from).flatMap((member, index) => ofSize(size - 1, from + index).map((rest) => [member, ...rest]));
  return Array.from({ length: max + 1 }, (_, size) => ofSize(size, 0)).flat();
}

function count(states: readonly State[]): UpstreamCounts {
  const of = (state: string): number => states.filter((other) => other === state).length;
  return { total: states.length, success: of('success'), skipped: of('skipped'), failed: of('failed'), upstreamFailed: of('upstream_failed'), removed: of('removed') };
}

function letter(rule: TriggerRule, counts: UpstreamCounts, mapIndex: number): string | undefined {
  const verdict = evaluateTriggerRule(rule, counts, mapIndex);
  return LETTERS[verdict.kind === 'set' ? verdict.state : verdict.kind];
}

describe('trigger rules against Airflow', () => {
  const plain = multisets(recorded.states, recorded.maxUpstream);
  const members = recorded.setupStates.flatMap((state) => [{ state, isSetup: false }, { state, isSetup: true }]);
  const withSetups = multisets(members, recorded.maxUpstream);

  it('has every rule and every kind of map index on record', () => {
    assert.deepEqual([...new Set(recorded.rows.map((row) => row.rule))].sort(), [...TRIGGER_RULES].sort());
    assert.deepEqual([plain.length, withSetups.length], [330, 1820]);
    for (const { withSetups: setups, verdicts } of recorded.rows) assert.equal(verdicts.length, setups ? 1820 : 330);
    assert.deepEqual([...new Set(recorded.rows.flatMap((row) => [...row.verdicts]))].sort(), ['r', 's', 'u', 'w', 'x']);
  });

  for (const { rule, mapIndex, withSetups: setups, verdicts } of recorded.rows) {
    it(`${rule} at map index ${mapIndex}${setups ? ', with setups' : ''}`, () => {
      const all = setups
        ? withSetups.map((upstreams) => ({
            ...count(upstreams.map((upstream) => upstream.state)),
            setups: count(upstreams.filter((upstream) => upstream.isSetup).map((upstream) => upstream.state)),
          }))
        : plain.map(count);
      for (const [index, counts] of all.entries()) {
        assert.equal(letter(rule, counts, mapIndex), verdicts[index], JSON.stringify(counts));
      }
    });
  }
});

describe('explainTriggerRule', () => {
  it('gives the numbers', () => {
    assert.equal(explainTriggerRule('all_success', { ...NONE, total: 3, success: 1 }, -1), 'all_success: 1 of 3 upstream succeeded, 2 unfinished');
    assert.equal(
      explainTriggerRule('all_done', { total: 6, success: 1, skipped: 1, failed: 1, upstreamFailed: 1, removed: 1 }, -1),
      'all_done: 1 of 6 upstream succeeded, 1 failed, 1 upstream_failed, 1 skipped, 1 removed, 1 unfinished',
    );
    assert.equal(explainTriggerRule('always', NONE, -1), 'always: no upstream');
    assert.equal(
      explainTriggerRule('all_success', { ...NONE, total: 2, success: 1, removed: 1 }, 3),
      'all_success: 1 of 2 upstream succeeded, 1 removed, map index 3 has no counterpart',
    );
    assert.equal(
      explainTriggerRule('all_done_setup_success', { ...NONE, total: 1, skipped: 1, setups: { ...NONE, total: 1, skipped: 1 } }, -1),
      'all_done_setup_success: 0 of 1 upstream succeeded, 1 skipped, 0 of 1 setups succeeded',
    );
  });

  it('costs the hot path nothing: verdicts are shared', () => {
    assert.equal(evaluateTriggerRule('all_success', { ...NONE, total: 1, skipped: 1 }, -1), evaluateTriggerRule('none_skipped', { ...NONE, total: 2, skipped: 1 }, 0));
  });
});
