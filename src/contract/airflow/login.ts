// Airflow's schemas of logging in.
import { type Static, Type as T } from '@sinclair/typebox';
import { strict } from './fields.ts';

export const LoginBody = T.Object({ username: T.String({ maxLength: 250 }), password: T.String({ maxLength: 1024 }) }, { ...strict, $id: 'LoginBody' });
export type LoginBody = Static<typeof LoginBody>;
