// A chain of tasks in TypeScript: each returns when its body began and ended, on the machine's monotonic clock.
import { dag, type Output, task } from 'leoflow';

const step = task('step', (_: { before?: number[] }, ctx) => {
  const begun = Number(process.hrtime.bigint());
  console.log(`line of ${ctx.task_id}`);
  return [begun, Number(process.hrtime.bigint())];
});

export const chainOfTen = dag('bench_node_10', {}, () => {
  let last: Output<number[]> = step();
  for (let n = 1; n < 10; n += 1) last = step({ before: last });
});
