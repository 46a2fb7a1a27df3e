// Roles: spelling and order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { includesRole, parseRole, ROLES } from './roles.ts';

test('a role is read in any spelling, and nothing else is one', () => {
  assert.equal(parseRole('ADMIN'), 'admin');
  for (const wrong of ['root', '', null, 1]) assert.equal(parseRole(wrong), null);
});

test('each role includes the weaker ones and none of the stronger', () => {
  ROLES.forEach((role, at) => ROLES.forEach((needed, rank) => assert.equal(includesRole(role, needed), at >= rank)));
});
