"""Dynamic mapping where the value to map over is empty, wrong, too long, or missing."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException


@task
def plain(x):
    return x


@task(trigger_rule="none_failed")
def tolerant():
    pass


@task
def strict():
    pass


def source_of(value):
    return task(task_id="source")(lambda: value)()


for name, value in {"none": None, "number": 7, "text": "abc", "too_long": list(range(1025))}.items():
    with DAG(f"map_over_{name}", schedule=None):
        mapped = plain.expand(x=source_of(value))
        mapped >> [tolerant(), strict()]

with DAG("map_over_empty_list", schedule=None):
    mapped = plain.expand(x=source_of([]))
    mapped >> [tolerant(), strict()]

with DAG("map_over_empty_dict", schedule=None):
    plain.expand(x=source_of({}))

with DAG("map_over_empty_literal", schedule=None):
    mapped = plain.expand(x=[])
    mapped >> [tolerant(), strict()]

with DAG("map_product_with_empty", schedule=None):
    @task
    def pair(a, b):
        return a

    pair.expand(a=[1, 2], b=source_of([]))

with DAG("map_over_empty_ignoring_all", schedule=None):
    mapped = plain.override(trigger_rule="all_done").expand(x=source_of([]))
    mapped >> EmptyOperator(task_id="always", trigger_rule="always")

with DAG("map_over_failed", schedule=None):
    @task
    def source():
        raise ValueError("by design")

    values = source()
    plain.expand(x=values)
    plain.override(task_id="all_done", trigger_rule="all_done").expand(x=values)

with DAG("map_over_skipped", schedule=None):
    @task
    def source():
        raise AirflowSkipException("by design")

    values = source()
    plain.expand(x=values)
    plain.override(task_id="none_failed", trigger_rule="none_failed").expand(x=values)

with DAG("map_over_not_pushed", schedule=None):
    @task(do_xcom_push=False)
    def source():
        return [1, 2]

    plain.expand(x=source())

with DAG("map_kwargs_wrong_rows", schedule=None):
    @task
    def both(a, b=0):
        return a

    both.expand_kwargs(source_of([{"a": 1}, 5]))

with DAG("map_unknown_argument", schedule=None):
    @task
    def both(a):
        return a

    both.expand_kwargs(source_of([{"a": 1}, {"z": 1}]))

with DAG("map_of_empty_map", schedule=None):
    first = plain.override(task_id="first").expand(x=source_of([]))
    second = plain.override(task_id="second").expand(x=first)
    second >> tolerant()

with DAG("map_other_upstreams_skip", schedule=None):
    @task
    def up():
        raise AirflowSkipException("by design")

    up() >> plain.expand(x=[1, 2])

with DAG("map_of_skipped_by_short_circuit", schedule=None):
    @task.short_circuit
    def condition():
        return False

    condition() >> plain.expand(x=[1, 2])

with DAG("map_by_tries", schedule=None):
    @task
    def source():
        return {1: [1, 2, 3], 2: [1], 3: [1, 2, 3, 4]}[get_current_context()["ti"].try_number]

    plain.expand(x=source())
