// GET /importErrors and /importErrors/{import_error_id}: DAG files that could not be compiled.
import { Type as T } from '@sinclair/typebox';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { ImportErrorCollectionResponse, ImportErrorResponse } from '#contract/airflow/monitor.ts';
import { findImportError, type ImportErrorRow, listImportErrors } from '#store/import-errors.ts';
import { renderInstant } from '../../instants.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';

/** Airflow's `get_import_errors`. */
export const getImportErrors = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, order_by: orderBy('id'), filename_pattern: optional(T.String()) }),
  response: ImportErrorCollectionResponse,
  async run({ query, services }) {
    const { rows, total } = await listImportErrors(services.database, query.filename_pattern, pageOf(query));
    return json({ import_errors: rows.map(render), total_entries: total });
  },
});

/** Airflow's `get_import_error`. */
export const getImportError = operation({
  params: T.Object({ import_error_id: T.Integer() }),
  response: ImportErrorResponse,
  async run({ params, services }) {
    const row = await findImportError(services.database, params.import_error_id);
    if (row === null) throw notFound(`The ImportError with import_error_id: \`${params.import_error_id}\` was not found`);
    return json(render(row));
  },
});

function render(row: ImportErrorRow): ImportErrorResponse {
  return { import_error_id: row.id, timestamp: renderInstant(row.at), filename: row.filename, bundle_name: row.bundle, stack_trace: row.stackTrace };
}
