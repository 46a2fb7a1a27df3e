// The roles of people, weakest first, as in Airflow's simple auth manager.

/** Weakest first: each includes those before it. */
export const ROLES = ['viewer', 'user', 'op', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The role in any spelling; null when it is none. */
export function parseRole(text: unknown): Role | null {
  return typeof text === 'string' ? (ROLES.find((role) => role === text.toLowerCase()) ?? null) : null;
}

/** Whether `role` may do what `needed` may. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
