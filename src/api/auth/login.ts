// POST /auth/token: a name and a password for a token; guessing is slowed down per account and per address.
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LoginBody } from '#contract/airflow/login.ts';
import { countAttempts, findUser, forgetAttempt, recordAttempt } from '#store/users.ts';
import { HttpProblem, invalid } from '../problems.ts';
import type { Services } from '../operation.ts';
import { readValue } from '../validate.ts';
import { isPassword } from './passwords.ts';
import { signToken } from './tokens.ts';

/** Life of a token for the command line, as Airflow's. */
const CLI_LIFE_SECONDS = 3600;

/** Adds the two login routes. They are public. */
export function addLogin(app: FastifyInstance, services: Services): void {
  app.post('/auth/token', async (request, reply) => {
    const token = await login(services, request, services.config.LEOFLOW_TOKEN_TTL_SECONDS);
    return reply.code(201).send({ access_token: token });
  });
  app.post('/auth/token/cli', async (request, reply) => {
    const token = await login(services, request, Math.min(CLI_LIFE_SECONDS, services.config.LEOFLOW_TOKEN_TTL_SECONDS));
    return reply.code(201).send({ access_token: token });
  });
}

async function login(services: Services, request: FastifyRequest, lifeSeconds: number): Promise<string> {
  const { username, password } = readLogin(request);
  const subjects = subjectsOf(username, request.ip);
  const { database, config } = services;
  const attempt = await recordAttempt(database, subjects);
  if ((await countAttempts(database, subjects)) > config.LEOFLOW_LOGIN_FAILURES_PER_MINUTE) {
    await forgetAttempt(database, subjects, attempt);
    services.reporter.report({ event: 'auth.failed', reason: 'too many failed logins' });
    throw new HttpProblem(429, 'Too many failed logins. Wait a minute, then try again.');
  }
  const user = await findUser(database, username);
  if (!(await isPassword(password, user?.passwordHash ?? null)) || user === null) {
    services.reporter.report({ event: 'auth.failed', reason: 'wrong name or password' });
    throw new HttpProblem(401, 'Invalid credentials');
  }
  await forgetAttempt(database, subjects, attempt);
  return signToken(services.signingKey, { name: user.username, role: user.role }, lifeSeconds);
}

function readLogin(request: FastifyRequest): LoginBody {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json' && type !== 'application/x-www-form-urlencoded') throw new HttpProblem(415, 'Unsupported Media Type');
  const { value, problems } = readValue(LoginBody, request.body, ['body']);
  if (problems.length > 0) throw invalid(problems);
  const body = value as LoginBody;
  if (body.username === '' || body.password === '') throw new HttpProblem(400, 'Username and password must be provided');
  return body;
}

/** Failures count for the account and for the address; names are hashed because people type passwords into the wrong field. */
function subjectsOf(username: string, address: string): string[] {
  return [`account:${createHash('sha256').update(username).digest('base64url')}`, `address:${address}`];
}
