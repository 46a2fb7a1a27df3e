// One server for crash tests: the engine on a given home and database. Its events are JSON lines on standard output.
import { startEngine } from '#main/engine.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';

const [home = '', databaseUrl = ''] = process.argv.slice(2);
const reporter = createReporter('error', () => undefined);
reporter.listen((event) => {
  if (event.event !== 'commit.done') process.stdout.write(`${JSON.stringify({ ...event, wall: Date.now() })}\n`);
});
const engine = await startEngine({ config: readConfig({ LEOFLOW_PARALLELISM: 100, LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.05, LEOFLOW_CANCEL_GRACE_SECONDS: 2 }, {}), home, databaseUrl, python: 'python3', reporter });
process.stdout.write('{"event":"started"}\n');
process.on('SIGTERM', () => void engine.stop({ endExecutions: true }).then(() => process.exit(0)));
