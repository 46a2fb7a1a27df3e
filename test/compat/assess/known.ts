// Files on which the verdict and a real Airflow differ, each with its reason.

/** Reason by the name of the file. */
export const KNOWN: Readonly<Record<string, string>> = {
  'listing_2_3.py': 'a fragment out of a book that uses a name it does not define; what comes after a missing import is not looked at',
  'listing_2_5.py': 'a fragment out of a book that uses a name it does not define; what comes after a missing import is not looked at',
};
