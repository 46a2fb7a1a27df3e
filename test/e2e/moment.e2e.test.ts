// Code that looks at the moment while it is imported, under our own runtime.
import { describeMoment } from '../compat/moment/suite.ts';

describeMoment('leoflow');
