// How tasks end under the real Task SDK, and what is said of it.
import { describeEndings } from '../compat/explain/suite.ts';

describeEndings('airflow');
