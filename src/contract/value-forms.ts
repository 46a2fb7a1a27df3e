// The mappings that stand for something else in the values of a drawing: one table for those who write, check and resolve them. Imports nothing: it also runs in the author's process.

/** Beside the key that names a form: the keys that must be there, and those that may. Any other set of keys is plain data. */
const VALUE_FORMS = {
  xcom: { needs: [], may: ['key'] },
  argument: { needs: [], may: [] },
  param: { needs: [], may: [] },
  zip: { needs: [], may: ['fillvalue'] },
  concat: { needs: [], may: [] },
  map: { needs: ['through'], may: [] },
  literal: { needs: [], may: [] },
} as const satisfies Readonly<Record<string, { readonly needs: readonly string[]; readonly may: readonly string[] }>>;

/** A value that stands for something else, by its form. */
export type ValueForm = keyof typeof VALUE_FORMS;

const FORMS = Object.entries(VALUE_FORMS) as [ValueForm, { readonly needs: readonly string[]; readonly may: readonly string[] }][];

/** What a value stands for; null for plain data. The same rule as python/leoflow/draw/values.py, by the cases of test/fixtures/value-forms.json. */
export function formOf(value: unknown): ValueForm | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const keys = Object.keys(value);
  const isOf = ([form, { needs, may }]: (typeof FORMS)[number]): boolean => [form, ...needs].every((key) => keys.includes(key)) && keys.every((key) => key === form || needs.includes(key) || may.includes(key));
  return FORMS.find(isOf)?.[0] ?? null;
}
