// How tasks end under our own runtime, and what is said of it.
import { describeEndings } from '../compat/explain/suite.ts';

describeEndings('leoflow');
