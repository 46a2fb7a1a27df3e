// Path parameters that operations of a task instance share.
import { Type as T } from '@sinclair/typebox';
import { Uuid } from '#contract/airflow/fields.ts';

/** `…/{task_instance_id}/…`. */
export const TI_PARAMS = T.Object({ task_instance_id: Uuid });
