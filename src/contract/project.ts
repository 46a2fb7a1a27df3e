// leoflow.yaml: what a folder says about the DAG files below it. The JSON Schema for editors and the types have this one source.
import { type Static, type TSchema, Type as T } from '@sinclair/typebox';
import { DURATION_PATTERN } from './drawing.ts';

const strict = { additionalProperties: false } as const;
const opt = <S extends TSchema>(schema: S) => T.Optional(schema);
/** As in dag.yaml. */
const duration = (description: string) => T.Union([T.Number({ minimum: 0 }), T.String({ pattern: DURATION_PATTERN })], { description: `${description} Seconds, or a text such as 30s, 5m, 1h30m.` });
const seconds = (description: string) => T.Number({ minimum: 0, description });
const texts = (description: string) => T.Array(T.String({ minLength: 1 }), { description });

/** What a task gets when its own code says nothing (`defaults`), or whatever it says (`tasks`). */
const TaskSettings = T.Object({
  retries: opt(T.Integer({ minimum: 0, maximum: 100_000, description: 'Tries after the first.' })),
  retry_delay: opt(duration('Wait between tries.')),
  retry_delay_seconds: opt(seconds('Wait between tries.')),
  retry_exponential_backoff: opt(T.Number({ minimum: 0, description: 'The wait is multiplied by this with each try; 0 is none.' })),
  max_retry_delay: opt(duration('The longest wait between tries.')),
  max_retry_delay_seconds: opt(seconds('The longest wait between tries.')),
  execution_timeout: opt(duration('A try that runs longer fails.')),
  execution_timeout_seconds: opt(T.Number({ exclusiveMinimum: 0, description: 'A try that runs longer fails.' })),
  infra_retries: opt(T.Integer({ minimum: 0, maximum: 100, description: 'Executions of one try that may be lost to infrastructure before the try fails.' })),
  pool: opt(T.String({ minLength: 1, maxLength: 256, description: 'Pool that limits how many run at once.' })),
  pool_slots: opt(T.Integer({ minimum: 1, description: 'Slots of the pool that it takes.' })),
  priority_weight: opt(T.Integer({ description: 'Who goes first when slots are rare.' })),
  queue: opt(T.String({ minLength: 1, description: 'Queue of the executor.' })),
  max_active_tis_per_dag: opt(T.Integer({ minimum: 1, description: 'Instances running at once, over all runs.' })),
  max_active_tis_per_dagrun: opt(T.Integer({ minimum: 1, description: 'Instances running at once, in one run.' })),
  env: opt(T.Record(T.String(), T.Union([T.String(), T.Number(), T.Boolean()]), { description: 'Environment variables; merged by name.' })),
  resources: opt(T.Object({
    requests: opt(T.Record(T.String(), T.String())), limits: opt(T.Record(T.String(), T.String())),
  }, { ...strict, description: 'What a container gets, in the words of Kubernetes.' })),
}, strict);
/** Settings of one task, durations in seconds: the file may say `retry_delay: 5m`, who reads it has `retry_delay_seconds: 300`. */
export type TaskSettings = Omit<Static<typeof TaskSettings>, 'retry_delay' | 'max_retry_delay' | 'execution_timeout'>;

/** What may be said for all DAGs of a folder, and for one. */
const DAG_SETTINGS = {
  owner: opt(T.String({ minLength: 1, description: 'Owner of DAGs that name none.' })),
  tags: opt(texts('Tags added to each DAG.')),
  defaults: opt(TaskSettings),
  tasks: opt(T.Record(T.String(), TaskSettings, { description: 'Settings of single tasks by id. They win over what the task says.' })),
  connections: opt(texts('Connections that tasks may read: ids, or patterns with *. All unless said.')),
  include_files: opt(texts('Data files that travel with the version, relative to this file: paths or patterns (*, **, ?). What all leoflow.yaml files say adds up.')),
  variables: opt(texts('Variables that tasks may read: keys, or patterns with *. All unless said.')),
  retention_days: opt(T.Integer({ minimum: 0, maximum: 36_500, description: 'Ended runs are deleted after so many days; 0 keeps them. As the server says unless said.' })),
  is_paused_upon_creation: opt(T.Boolean({ description: 'Whether new DAGs start paused, when they do not say.' })),
  max_active_runs: opt(T.Integer({ minimum: 1, description: 'Runs at once of DAGs that do not say.' })),
  max_active_tasks: opt(T.Integer({ minimum: 1, description: 'Instances at once of DAGs that do not say.' })),
  dagrun_timeout: opt(duration('A run of DAGs that do not say fails after this time.')),
  dagrun_timeout_seconds: opt(T.Number({ exclusiveMinimum: 0, description: 'A run of DAGs that do not say fails after this time.' })),
};

const DagSettings = T.Object(DAG_SETTINGS, strict);
/** Settings of one DAG. */
export type DagSettings = Static<typeof DagSettings>;

/** Which program parses and runs Python DAG files. */
export const PROJECT_RUNTIMES = ['auto', 'leoflow', 'airflow'] as const;
export type ProjectRuntime = (typeof PROJECT_RUNTIMES)[number];

const PythonDependencies = T.Union([
  T.String({ description: 'A requirements file, relative to this one.' }),
  texts('Requirements as pip reads them.'),
  T.Object({
    version: opt(T.String({ pattern: '^3\\.\\d+$', description: 'Version of Python, such as 3.12.' })),
    requirements: opt(T.Union([T.String(), texts('Requirements as pip reads them.')])),
    constraints: opt(T.Union([T.String(), texts('Constraints as pip reads them.')])),
  }, strict),
]);

/** The whole file. */
export const ProjectFile = T.Object({
  schema_version: opt(T.Unsafe<'1.0' | 1>({ enum: ['1.0', 1], description: 'Version of this form: 1.0.' })),
  description: opt(T.String()),
  include_paths: opt(texts('Only DAG files below these paths or matching these patterns (*, **, ?).')),
  exclude_paths: opt(texts('No DAG files below these paths or matching these patterns.')),
  import_paths: opt(texts('Folders that code is imported from besides the one of the DAG files, relative to this file. What is imported travels with the version.')),
  runtime: opt(T.Unsafe<ProjectRuntime>({ enum: [...PROJECT_RUNTIMES], description: 'auto: our own runtime when it covers the file, else the Task SDK that the environment holds. airflow: the Task SDK. leoflow: our own.' })),
  dependencies: opt(T.Object({
    python: opt(PythonDependencies),
    node: opt(T.String({ description: 'A package.json, relative to this one; its package-lock.json beside it is used when there is one.' })),
  }, { ...strict, description: 'What the code of the DAGs needs. An environment is built once per content and shared.' })),
  ...DAG_SETTINGS,
  dags: opt(T.Record(T.String(), DagSettings, { description: 'Settings of single DAGs by id. They win over those of the folder.' })),
  xcom_reader: opt(T.Object({
    kube_context: opt(T.String({ description: 'Context of the kubeconfig.' })),
    namespace: opt(T.String({ description: 'Namespace of the pods.' })),
    selector: opt(T.String({ description: 'Labels of the pod to ask.' })),
    container: opt(T.String({ description: 'Container in it.' })),
    pod: opt(T.String({ description: 'One pod by name.' })),
    timeout: opt(T.Number({ exclusiveMinimum: 0, maximum: 3600, description: 'Seconds after which a question is given up.' })),
  }, { ...strict, description: 'Where `leoflow xcom pull` reads.' })),
}, { ...strict, $id: 'https://leoflow.dev/schemas/leoflow-yaml-1.0.json', title: 'leoflow.yaml 1.0' });
export type ProjectFile = Static<typeof ProjectFile>;
