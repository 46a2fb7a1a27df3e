// One look at a Redis for `leoflow doctor`: whether it answers, and whether it would keep values.
import type { StoreExamination } from '#contract/value-store.ts';
import { AppError } from '#contract/errors.ts';
import { errorText } from '#platform/report.ts';
import { openRedisValues } from './redis-values.ts';

/** Null fields mean that nothing is wrong. Never throws: what is wrong with the address is a refusal. */
export async function examineRedis(url: string): Promise<StoreExamination> {
  let fault = 'Redis does not answer';
  try {
    const values = await openRedisValues({ url, installation: 'doctor', reporter: { report: (event) => void (event.event === 'xcom_store.unavailable' && (fault = `Redis does not answer (${event.error})`)) } });
    const found = await values.examine();
    await values.close();
    return found ?? { refusal: fault, warnings: [] };
  } catch (error) {
    return { refusal: `${errorText(error)}. ${error instanceof AppError ? error.hint : ''}`, warnings: [] };
  }
}
