// Files on which the verdict and a real Airflow differ, each with its reason.

/** Reason by the name of the file. */
export const KNOWN: Readonly<Record<string, string>> = {};
