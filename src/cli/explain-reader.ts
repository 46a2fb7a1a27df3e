// `xcom pull --explain`: who is asked what, without a value, a host or a password in it.
import { type PullRequest, questionOf } from '#devloop/xcom-reader/pull.ts';
import type { OpenReader, ReaderContext } from './open-reader.ts';
import { renderFields } from './output.ts';

/** Asks the question without values, and prints the way there and the statements that were sent. */
export async function explain(context: ReaderContext, reader: OpenReader, request: PullRequest): Promise<void> {
  const { answer, target } = await reader.transport.ask(questionOf({ ...request, keysOnly: true }, 'exact'));
  context.out(renderFields([
    ['transport', reader.transport.name], ['asked', target], ['connection', answer.connection_from], ['schema', `${answer.schema} (${answer.dialect})`], ['airflow', answer.airflow_version], ['XCom backend', answer.backend ?? 'Airflow’s own'],
    ...Object.entries(reader.from).map(([key, from]) => [key, `${String(reader.site[key as keyof typeof reader.site])} (${from})`] as const),
  ]));
  if (answer.statements.length > 0) context.out(`\nstatements, in order, values always bound, the transaction rolled back:\n${answer.statements.map((text) => `  ${text.trim().replaceAll('\n', '\n  ')}\n`).join('')}`);
}
