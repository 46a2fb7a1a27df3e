// API tokens: JWTs as Airflow's own, signed with the key that all servers share.
import { randomBytes } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Config } from '#contract/config.ts';
import { parseRole } from '#contract/roles.ts';
import { wallMs } from '#platform/clock.ts';
import type { Database } from '#store/database.ts';
import { readSecret } from '#store/server-secrets.ts';
import type { Person } from '../operation.ts';

const ALGORITHM = 'HS512';
const AUDIENCE = 'apache-airflow';
const LEEWAY_SECONDS = 10;
/** Longer than any token of ours: refused before it is looked at. */
const MAX_TOKEN_LENGTH = 8192;

/** The signing key: the configured secret, else the one that the database keeps. */
export async function readSigningKey(database: Database, config: Pick<Config, 'LEOFLOW_JWT_SECRET'>): Promise<Buffer> {
  return config.LEOFLOW_JWT_SECRET === null ? readSecret(database, 'jwt') : Buffer.from(config.LEOFLOW_JWT_SECRET, 'utf8');
}

/** A token for a person. */
export async function signToken(key: Buffer, person: Person, lifeSeconds: number): Promise<string> {
  const now = Math.floor(wallMs() / 1000);
  return new SignJWT({ role: person.role.toUpperCase(), teams: [] })
    .setProtectedHeader({ alg: ALGORITHM, kid: 'not-used', typ: 'JWT' })
    .setSubject(person.name).setJti(randomBytes(16).toString('hex')).setAudience(AUDIENCE)
    .setIssuedAt(now).setNotBefore(now).setExpirationTime(now + lifeSeconds).sign(key);
}

/** What a token turned out to be. */
export type Verified =
  | { readonly kind: 'ok'; readonly person: Person }
  | { readonly kind: 'expired' }
  | { readonly kind: 'invalid' };

/** Whose token this is. Only our algorithm and audience, only with all times; whatever else it is, it is invalid. */
export async function verifyToken(key: Buffer, token: string): Promise<Verified> {
  if (token.length > MAX_TOKEN_LENGTH) return { kind: 'invalid' };
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM], audience: AUDIENCE, clockTolerance: LEEWAY_SECONDS, requiredClaims: ['exp', 'iat', 'nbf', 'sub'], currentDate: new Date(wallMs()),
    });
    const role = parseRole(payload['role']);
    return typeof payload.sub === 'string' && payload.sub !== '' && role !== null ? { kind: 'ok', person: { name: payload.sub, role } } : { kind: 'invalid' };
  } catch (error) {
    return { kind: error instanceof errors.JWTExpired ? 'expired' : 'invalid' };
  }
}
