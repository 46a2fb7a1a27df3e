// The semantics suite under our own runtime.
import { FAULTS_OF_AIRFLOW, playSemantics } from './semantics/suite.ts';

playSemantics({ runtime: 'leoflow', apart: FAULTS_OF_AIRFLOW, skip: false, settings: {}, atOnce: 12, limitSeconds: 230 });
