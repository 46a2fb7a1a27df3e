"""XComs, params, conf and templates."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, get_current_context, task


def ti():
    return get_current_context()["ti"]


with DAG("xcom_keys", schedule=None):
    @task
    def push():
        ti().xcom_push(key="one", value=1)
        ti().xcom_push(key="two", value={"a": [1, None, "ü"]})
        return "returned"

    @task
    def pull():
        return [
            ti().xcom_pull(task_ids="push"), ti().xcom_pull(task_ids="push", key="one"), ti().xcom_pull(task_ids="push", key="two"),
            ti().xcom_pull(task_ids="push", key="none"), ti().xcom_pull(task_ids="push", key="none", default="given"), ti().xcom_pull(task_ids=["push", "push"], key="one"),
            ti().xcom_pull(task_ids="nobody"),
        ]

    push() >> pull()

with DAG("xcom_map_indexes", schedule=None):
    @task
    def each(x):
        return x * 10

    @task
    def pull():
        return {
            "all": list(ti().xcom_pull(task_ids="each")), "one": ti().xcom_pull(task_ids="each", map_indexes=1), "some": list(ti().xcom_pull(task_ids="each", map_indexes=[2, 0])),
            "beyond": ti().xcom_pull(task_ids="each", map_indexes=7), "listed": list(ti().xcom_pull(task_ids=["each"])),
        }

    each.expand(x=[1, 2, 3]) >> pull()

with DAG("xcom_multiple_outputs", schedule=None):
    @task(multiple_outputs=True)
    def several():
        return {"a": 1, "b": [2, 3]}

    @task
    def inferred() -> dict[str, int]:
        return {"c": 4}

    @task(multiple_outputs=True)
    def wrong():
        return [1]

    @task
    def after(a, b, c):
        return [a, b, c]

    outputs = several()
    after(outputs["a"], outputs["b"], inferred()["c"])
    wrong()

with DAG("xcom_not_pushed", schedule=None):
    @task(do_xcom_push=False)
    def silent():
        ti().xcom_push(key="own", value=1)
        return "dropped"

    @task
    def nothing():
        return None

    @task
    def after(value):
        return [value]

    silent()
    after(nothing())
    BashOperator(task_id="bash", bash_command="echo x", do_xcom_push=False)

with DAG("xcom_missing_argument", schedule=None):
    @task(do_xcom_push=False)
    def silent():
        return "dropped"

    @task
    def after(value):
        return [value]

    after(silent())

with DAG("xcom_not_serialisable", schedule=None):
    @task
    def pushes_object():
        return object()

    @task
    def kinds():
        return {"tuple": (1, 2), "float": 0.5, "big": 2**60, "nested": [[], {}], "yes": True}

    pushes_object()
    kinds()

with DAG("xcom_of_failed_task", schedule=None):
    @task
    def fails():
        ti().xcom_push(key="before", value="kept")
        raise ValueError("by design")

    @task(trigger_rule="all_done")
    def after():
        return ti().xcom_pull(task_ids="fails", key="before")

    fails() >> after()

with DAG("conf_and_params", schedule=None, params={"a": 1, "b": Param("text", type="string"), "c": Param(None, type=["null", "integer"])}):
    @task
    def seen(params=None, dag_run=None):
        return [dict(params), dag_run.conf]

    seen()
    BashOperator(task_id="template", bash_command="echo {{ params.a }} {{ params.b }} {{ params.c }} {{ dag_run.conf.get('extra', 'none') }}")

with DAG("params_of_a_task", schedule=None, params={"a": "of the dag", "b": "of the dag"}):
    BashOperator(task_id="template", bash_command="echo {{ params.a }}/{{ params.b }}/{{ params.own }}", params={"a": "of the task", "own": 1})

with DAG("templates_with_date", schedule="0 3 * * *"):
    names = ["ds", "ds_nodash", "ts", "ts_nodash", "logical_date", "data_interval_start", "data_interval_end", "dag_run.run_type", "dag.dag_id", "task.task_id", "ti.try_number", "run_id"]
    BashOperator(task_id="show", bash_command="echo " + " ".join("'{{ " + name + " }}'" for name in names))

with DAG("templates_without_date", schedule="0 3 * * *"):
    @task
    def show():
        context = get_current_context()
        return {name: str(context.get(name, "missing")) for name in ["logical_date", "ds", "ts", "data_interval_start", "data_interval_end"]}

    show()
    BashOperator(task_id="uses_ds", bash_command="echo {{ ds }}")

with DAG("templates_nested", schedule=None):
    @task(templates_dict={"inner": ["{{ 1 + 1 }}", {"deep": "{{ params.x }}"}]}, params={"x": "y"})
    def nested(given, templates_dict=None):
        return [given, templates_dict]

    nested({"a": ["{{ 2 * 3 }}"], "b": ("{{ 7 }}", 8)})
    PythonOperator(task_id="classic", python_callable=lambda *a, **k: [list(a), k["x"]], op_args=["{{ 3 }}"], op_kwargs={"x": "{{ task.task_id }}"})

with DAG("templates_native", schedule=None, render_template_as_native_obj=True):
    @task
    def native(a, b, c):
        return [a, b, c]

    native("{{ 1 + 1 }}", "{{ [1, 2] }}", "{{ 'x' }}y")

with DAG("template_error", schedule=None):
    @task
    def after():
        pass

    BashOperator(task_id="broken", bash_command="echo {{ nobody.knows }}") >> after()
    BashOperator(task_id="syntax", bash_command="echo {{ 1 + }}")

with DAG("values_prior_dates", schedule=None, params={"push": False}):
    @task
    def push(params=None):
        return "kept" if params["push"] else None

    @task
    def pull():
        return [ti().xcom_pull(task_ids="push", include_prior_dates=True), ti().xcom_pull(task_ids="push", include_prior_dates=True, map_indexes=-1), ti().xcom_pull(task_ids="push")]

    push() >> pull()
