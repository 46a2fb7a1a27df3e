// Requirements that travel, and those that would reach into the machine that builds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requirementFault } from './requirement.ts';

test('names, versions, markers, extras and addresses travel', () => {
  for (const line of ['six', 'six==1.16.0', 'requests[socks]>=2 ; python_version < "3.12"', 'pkg @ https://example.org/pkg-1.whl', 'git+https://example.org/x.git@v1', '3to2']) assert.equal(requirementFault(line), null, line);
});

test('options and paths do not', () => {
  for (const line of ['-r other.txt', '--index-url https://x', '-e .', './mine', '/etc/passwd', '~/x', 'file:///etc/passwd', 'pkg @ file:///x', 'pkg @ ./x', 'six\n-r /etc/passwd', '', '@x']) assert.notEqual(requirementFault(line), null, line);
});
