// Orders: what each shop sold is added up once a day.
import { bash, dag } from 'leoflow';

interface Shop {
  readonly shop: string;
  readonly orders: readonly number[];
}

export const orders = dag('orders', {
  schedule: '@daily',
  start_date: '2026-01-01',
  tags: ['example'],
  params: { shops: { default: ['north', 'south'], type: 'array' } },
}, ({ task }) => {
  const extract = task('extract', { retries: 2, retry_delay: '10s' }, (_, ctx): Shop[] => {
    // One entry per shop. A real one would ask a database or an API.
    const shops = ctx.params.shops.map(String);
    console.log('shops:', shops.join(', '));
    return shops.map((shop) => ({ shop, orders: [shop.length, 7, 12] }));
  });

  const addUp = task('add_up', ({ shop }: { shop: Shop }) => shop.orders.reduce((sum, count) => sum + count, 0));

  const report = task('report', ({ totals }: { totals: number[] }) => `${totals.reduce((sum, count) => sum + count, 0)} orders of ${totals.length} shops`);

  // Mapped: add_up runs once per shop.
  report({ totals: addUp.expand({ shop: extract() }) })
    .before(bash('announce', `echo '{{ ds }} {{ ti.xcom_pull(task_ids="report") }}'`));
});
