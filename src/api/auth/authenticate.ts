// Who asks, and whether they may: the token of a request against what its route needs.
import type { IncomingHttpHeaders } from 'node:http';
import { includesRole, type Role } from '#contract/roles.ts';
import { HttpProblem } from '../problems.ts';
import type { Person } from '../operation.ts';
import { verifyToken } from './tokens.ts';

/** The bearer token, else the cookie `_token`; null when there is neither. */
export function tokenOf(headers: IncomingHttpHeaders): string | null {
  const bearer = /^bearer\s+(.*)$/i.exec(headers.authorization ?? '');
  if (bearer !== null) return (bearer[1] ?? '').trim();
  for (const part of (headers.cookie ?? '').split(';')) {
    const [name, ...rest] = part.split('=');
    if (name?.trim() === '_token') return rest.join('=').trim();
  }
  return null;
}

/**
 * The person of a request that may do what `needed` may. Throws 401 without a good token (a bad one is told apart by its text)
 * and 403 `Forbidden` when the role is too weak.
 */
export async function authorize(key: Buffer, headers: IncomingHttpHeaders, needed: Role): Promise<Person> {
  const token = tokenOf(headers);
  if (token === null || token === '') throw new HttpProblem(401, 'Not authenticated');
  const verified = await verifyToken(key, token);
  if (verified.kind === 'expired') throw new HttpProblem(401, 'Token Expired');
  if (verified.kind === 'invalid') throw new HttpProblem(401, 'Invalid JWT token');
  if (!includesRole(verified.person.role, needed)) throw new HttpProblem(403, 'Forbidden');
  return verified.person;
}
