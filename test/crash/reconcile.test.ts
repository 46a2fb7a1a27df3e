// The reconciler finds each kind of contradiction when it is planted, and none when there is none.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Believed, findContradictions, type LedgerLine, parseLedger } from './reconcile.ts';

const LEDGER: readonly LedgerLine[] = parseLedger('START x1 a 1.0\nFINISH x1 a 2.0\nSTART x2 b 2.1\nSTART x3 b 3.0\nFINISH x3 b 4.0\nSTAR');
const BELIEVED: Believed = {
  run: 'success', tasks: [{ task: 'a', state: 'success', tryNumber: 1, upstream: [] }, { task: 'b', state: 'success', tryNumber: 1, upstream: ['a'] }],
  executions: [{ id: 'x1', task: 'a', state: 'success', attempt: '1' }, { id: 'x2', task: 'b', state: 'lost', attempt: '2' }, { id: 'x3', task: 'b', state: 'success', attempt: '2' }],
};

const kinds = (ledger: readonly LedgerLine[], believed: Believed): string[] => [...new Set(findContradictions(ledger, believed).map((text) => text.split(':')[0] ?? ''))].sort();
const changed = (id: string, state: string): Believed => ({ ...BELIEVED, executions: BELIEVED.executions.map((one) => (one.id === id ? { ...one, state } : one)) });
const withState = (task: string, state: string | null): Believed => ({ ...BELIEVED, tasks: BELIEVED.tasks.map((one) => (one.task === task ? { ...one, state } : one)) });

it('finds nothing where nothing is', () => assert.deepEqual(findContradictions(LEDGER, BELIEVED), []));

const PLANTED: readonly [string, string[], readonly LedgerLine[], Believed][] = [
  ['a task that never ran', ['false-success', 'lost'], LEDGER.filter((line) => line.task !== 'b'), BELIEVED],
  ['an execution nobody knows', ['ghost'], [...LEDGER, { phase: 'START', execution: 'x9', task: 'a', at: 9 }].filter((line) => line.execution !== 'x9' || line.phase === 'START') as LedgerLine[], BELIEVED],
  ['an execution that started twice', ['duplicate'], [...LEDGER, { phase: 'START', execution: 'x3', task: 'b', at: 5 }], BELIEVED],
  ['a success without an end', ['false-success', 'order'], LEDGER.filter((line) => line.phase !== 'FINISH' || line.task !== 'a'), BELIEVED],
  ['a failure of what finished', ['false-failure'], LEDGER, withState('b', 'failed')],
  ['a lost execution that finished', ['false-failure', 'false-success'], LEDGER, changed('x3', 'lost')],
  ['two at once', ['overlap'], LEDGER, changed('x2', 'running')],
  ['a task before its upstream', ['order'], LEDGER.map((line) => (line.execution === 'x2' ? { ...line, at: 1.5 } : line)), BELIEVED],
  ['a task that goes nowhere', ['stuck'], LEDGER, withState('b', 'running')],
  ['a run that goes nowhere', ['stuck'], LEDGER, { ...BELIEVED, run: 'running' }],
];
for (const [name, expected, ledger, believed] of PLANTED) {
  it(`finds ${name}`, () => {
    const found = kinds(ledger, believed);
    for (const kind of expected) assert.ok(found.includes(kind), `${kind} is not among ${found.join(', ')}`);
    assert.ok(found.length <= expected.length + 1, found.join(', '));
  });
}
