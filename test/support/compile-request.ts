// What a front end is asked when nothing matters but the file.
import type { CompileRequest } from '#compile/compiled.ts';
import { userEnvironment } from '#platform/config.ts';

/** Everything of a request but the project, the file and the interpreter. */
export const BARE_REQUEST: Omit<CompileRequest, 'root' | 'file' | 'python'> = {
  runtime: 'auto', airflow: null, importPaths: [], nodeModules: null, bytecode: null, parsers: null, secrets: { variables: {}, connections: {} }, environment: userEnvironment(), importTimeoutSeconds: 30,
};
