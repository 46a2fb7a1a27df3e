// Python's traceback as Airflow's structured error: the last exception first, each with its frames.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorDetailOf } from './error-detail.ts';

const ONE = `Traceback (most recent call last):
  File "/srv/dags/daily.py", line 12, in <module>
    settings()
    ^^^^^^^^^^
  File "/srv/dags/lib/settings.py", line 3, in settings
    return os.environ["TOKEN"]
KeyError: 'TOKEN'
`;
const CHAIN = `Traceback (most recent call last):
  File "/srv/dags/a.py", line 1, in first
    int("x")
ValueError: no
  number

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/dags/a.py", line 5, in second
    raise KeyError("x") from error
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/dags/a.py", line 9, in third
    raise RuntimeError("last")
RuntimeError: last
`;

test('one exception', () => {
  const [detail, ...more] = errorDetailOf({ type: 'KeyError', message: "'TOKEN'", traceback: ONE });
  assert.deepEqual([detail?.exc_type, detail?.exc_value, detail?.is_cause, more], ['KeyError', "'TOKEN'", false, []]);
  assert.deepEqual(detail?.frames, [{ filename: '/srv/dags/daily.py', lineno: 12, name: '<module>' }, { filename: '/srv/dags/lib/settings.py', lineno: 3, name: 'settings' }]);
});

test('a chain, with what belongs together how', () => {
  const details = errorDetailOf({ type: 'RuntimeError', message: 'last', traceback: CHAIN });
  assert.deepEqual(details.map(({ exc_type: type, exc_value: value, is_cause: isCause, frames }) => [type, value, isCause, frames.map(({ name }) => name)]), [
    ['RuntimeError', 'last', false, ['third']], ['KeyError', "'x'", false, ['second']], ['ValueError', 'no\n  number', true, ['first']],
  ]);
});

test('a syntax error has a frame without a name; what has no traceback has none', () => {
  const text = 'Traceback (most recent call last):\n  File "/srv/dags/b.py", line 2\n    def\n       ^\nSyntaxError: invalid syntax\n';
  assert.deepEqual(errorDetailOf({ type: 'SyntaxError', message: 'invalid syntax', traceback: text })[0]?.frames, [{ filename: '/srv/dags/b.py', lineno: 2, name: '<module>' }]);
  assert.deepEqual(errorDetailOf({ type: 'DagNotFound', message: 'a.py holds no DAG' }).map(({ exc_type: type, frames }) => [type, frames]), [['DagNotFound', []]]);
});
