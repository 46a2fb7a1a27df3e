// The arguments of DAGs, tasks and groups under Airflow's names, as an author writes them; contract/drawing.ts says what each means.

/** Seconds, or a text such as 30s, 5m, 1h30m, 1d. */
export type Duration = number | string;
/** ISO date or date-time; without an offset it is in the DAG's time zone. */
export type Moment = string | Date;

/** When a task runs, by the states of those before it. */
export type TriggerRule =
  | 'all_success' | 'all_failed' | 'all_done' | 'all_done_min_one_success' | 'all_done_setup_success' | 'one_success' | 'one_failed'
  | 'one_done' | 'none_failed' | 'none_failed_min_one_success' | 'none_skipped' | 'all_skipped' | 'always';

/** An asset by its URI or name. */
export interface AssetRef { readonly asset: string; readonly name?: string; readonly group?: string; readonly extra?: unknown }

/** A default, or JSON Schema's words. Without `default` whoever triggers must give the value. */
export type ParamSpec = string | number | boolean | null | readonly unknown[] | { readonly [word: string]: unknown };
/** Params by name. */
export type ParamSpecs = Readonly<Record<string, ParamSpec>>;

interface ByType { string: string; number: number; integer: number; boolean: boolean; null: null; array: unknown[]; object: Record<string, unknown> }
type OfType<T> = T extends keyof ByType ? ByType[T] : T extends readonly (infer E)[] ? OfType<E> : unknown;
type Widened<T> = T extends string ? string : T extends number ? number : T extends boolean ? boolean : T extends null ? unknown : T;
type ParamValue<S> = S extends { readonly enum: readonly (infer E)[] } ? E
  : S extends { readonly type: 'array'; readonly items: infer I } ? ParamValue<I>[]
  : S extends { readonly type: infer T } ? OfType<T>
  : S extends { readonly default: infer D } ? Widened<D>
  : Widened<S>;
/** Values of params by their specs. */
export type ParamValues<S> = string extends keyof S ? Readonly<Record<string, unknown>> : { readonly [K in keyof S]: ParamValue<S[K]> };

/** What every task takes. */
export interface CommonOptions {
  readonly retries?: number;
  readonly retry_delay?: Duration;
  readonly retry_exponential_backoff?: boolean | number;
  readonly max_retry_delay?: Duration;
  readonly execution_timeout?: Duration;
  readonly trigger_rule?: TriggerRule;
  readonly depends_on_past?: boolean;
  readonly wait_for_downstream?: boolean;
  readonly ignore_first_depends_on_past?: boolean;
  readonly wait_for_past_depends_before_skipping?: boolean;
  readonly pool?: string;
  readonly pool_slots?: number;
  readonly priority_weight?: number;
  readonly weight_rule?: string;
  readonly queue?: string;
  readonly executor?: string;
  readonly executor_config?: unknown;
  readonly max_active_tis_per_dag?: number;
  readonly max_active_tis_per_dagrun?: number;
  readonly do_xcom_push?: boolean;
  readonly multiple_outputs?: boolean;
  readonly map_index_template?: string;
  readonly owner?: string;
  readonly email?: string | readonly string[];
  readonly doc_md?: string;
  readonly display_name?: string;
  readonly params?: ParamSpecs;
  readonly start_date?: Moment;
  readonly end_date?: Moment;
  readonly inlets?: readonly (AssetRef | string)[];
  readonly outlets?: readonly (AssetRef | string)[];
  /** Functions of the language that the task runs in, called with its context: file.ts#name of an exported function, file.py#name for an operator. */
  readonly on_execute_callback?: string | readonly string[];
  readonly on_success_callback?: string | readonly string[];
  readonly on_failure_callback?: string | readonly string[];
  readonly on_retry_callback?: string | readonly string[];
  readonly on_skipped_callback?: string | readonly string[];
  readonly setup?: boolean;
  readonly teardown?: boolean;
  readonly on_failure_fail_dagrun?: boolean;
}

/** What a task with a function takes. */
export interface TaskOptions extends CommonOptions {
  /** Environment variables of the process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a short circuit takes. */
export interface ShortCircuitOptions extends TaskOptions {
  readonly ignore_downstream_trigger_rules?: boolean;
}

/** What a sensor takes: how it waits between two looks. */
export interface SensorOptions extends TaskOptions {
  readonly mode?: 'poke' | 'reschedule';
  readonly poke_interval?: Duration;
  readonly timeout?: Duration;
  readonly soft_fail?: boolean;
  readonly exponential_backoff?: boolean;
  readonly max_wait?: Duration;
  readonly silent_fail?: boolean;
  readonly never_fail?: boolean;
}

/** What a group takes. */
export interface GroupOptions {
  readonly display_name?: string;
  readonly tooltip?: string;
  readonly prefix_group_id?: boolean;
  readonly default_args?: CommonOptions & Readonly<Record<string, unknown>>;
  readonly ui_color?: string;
  readonly ui_fgcolor?: string;
}

/** What a DAG takes. */
export interface DagOptions<S extends ParamSpecs = ParamSpecs> {
  readonly display_name?: string;
  readonly description?: string;
  readonly doc_md?: string;
  readonly tags?: readonly string[];
  readonly owner_links?: Readonly<Record<string, string>>;
  /** Cron expression, @daily and its like, @once, @continuous, or a duration. Without it runs are started by hand. */
  readonly schedule?: string | number | null;
  /** A timetable in dag.json's own words. */
  readonly timetable?: Readonly<Record<string, unknown>>;
  readonly timezone?: string;
  readonly start_date?: Moment;
  readonly end_date?: Moment;
  readonly catchup?: boolean;
  readonly max_active_runs?: number;
  readonly max_active_tasks?: number;
  readonly max_consecutive_failed_dag_runs?: number;
  readonly dagrun_timeout?: Duration;
  readonly fail_fast?: boolean;
  readonly is_paused_upon_creation?: boolean;
  readonly render_template_as_native_obj?: boolean;
  readonly allowed_run_types?: readonly string[];
  readonly template_searchpath?: string | readonly string[];
  readonly params?: S;
  readonly default_args?: CommonOptions & Readonly<Record<string, unknown>>;
  readonly on_success_callback?: string | readonly string[];
  readonly on_failure_callback?: string | readonly string[];
}

/** What an HTTP task asks for. */
export interface HttpOptions extends CommonOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  readonly url?: string;
  readonly conn_id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeout?: Duration;
  readonly success_status_codes?: readonly number[];
}
