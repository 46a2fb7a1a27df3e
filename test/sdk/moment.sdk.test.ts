// Code that looks at the moment while it is imported, under the real Task SDK.
import { describeMoment } from '../compat/moment/suite.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

describeMoment('airflow', { skip: withoutSdk, environment: () => ({ LEOFLOW_PYTHON: sdkPython() }) });
