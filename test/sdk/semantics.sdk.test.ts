// The semantics suite under the real Task SDK.
import { FAULTS_OF_AIRFLOW, playSemantics } from '../compat/semantics/suite.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

playSemantics({
  runtime: 'airflow', apart: FAULTS_OF_AIRFLOW, skip: withoutSdk, settings: withoutSdk === false ? { LEOFLOW_PYTHON: sdkPython() } : {}, atOnce: 8, limitSeconds: 600,
});
