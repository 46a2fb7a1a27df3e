"""Mapped task groups: each index goes its own way, the outside waits for all of them."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from rendezvous import leave, meet


@task
def add(x):
    return x + 1


@task
def double(x):
    return x * 2


@task(trigger_rule="all_done")
def collect(values):
    return list(values)


@task
def end(how):
    if how == "k":
        raise AirflowSkipException("by design")
    if how == "f":
        raise ValueError("by design")
    return how


def index():
    return get_current_context()["ti"].map_index


with DAG("group_literal", schedule=None):
    @task_group
    def group(x):
        return double(add(x))

    collect(group.expand(x=[1, 2, 3]))

with DAG("group_pushed", schedule=None):
    @task
    def numbers():
        return [5, 6]

    @task_group
    def group(x):
        return double(add(x))

    collect(group.expand(x=numbers()))

with DAG("group_kwargs", schedule=None):
    @task
    def pair(a, b):
        return f"{a}{b}"

    @task_group
    def group(a, b):
        return pair(a, b)

    group.expand_kwargs([{"a": 1, "b": 2}, {"a": 3, "b": 4}])

with DAG("group_depth_first", schedule=None):
    @task
    def first(x, run_id=None):
        return True if x == 0 else meet(run_id, "second of index 0")

    @task
    def second(x, run_id=None):
        if x == 0:
            leave(run_id, "second of index 0")

    @task_group
    def group(x):
        first(x) >> second(x)

    group.expand(x=[0, 1])

with DAG("group_with_failure", schedule=None):
    @task_group
    def group(how):
        end(how) >> EmptyOperator(task_id="middle") >> EmptyOperator(task_id="last")

    mapped = group.expand(how=["s", "f", "s"])
    mapped >> [EmptyOperator(task_id="strict"), EmptyOperator(task_id="tolerant", trigger_rule="all_done")]

with DAG("group_with_skip", schedule=None):
    @task_group
    def group(how):
        end(how) >> EmptyOperator(task_id="middle") >> EmptyOperator(task_id="last", trigger_rule="none_failed")

    mapped = group.expand(how=["s", "k", "s"])
    mapped >> [EmptyOperator(task_id="strict"), EmptyOperator(task_id="tolerant", trigger_rule="none_failed")]

with DAG("group_empty", schedule=None):
    @task
    def nothing():
        return []

    @task_group
    def group(x):
        double(add(x))

    mapped = group.expand(x=nothing())
    mapped >> EmptyOperator(task_id="tolerant", trigger_rule="none_failed")

with DAG("group_over_failed", schedule=None):
    @task
    def source():
        raise ValueError("by design")

    @task_group
    def group(x):
        double(add(x))

    group.expand(x=source())

with DAG("group_rules_inside", schedule=None):
    @task_group
    def group(how):
        source = end(how)
        for rule in ["all_done", "none_failed", "all_failed", "all_skipped", "none_skipped", "none_failed_min_one_success"]:
            source >> EmptyOperator(task_id=rule, trigger_rule=rule)

    group.expand(how=["s", "f", "k"])

# Three rules look at all indexes of an upstream inside the group.
with DAG("group_one_rules_inside", schedule=None):
    @task_group
    def group(how):
        source = end(how)
        for rule in ["one_success", "one_failed", "one_done"]:
            source >> EmptyOperator(task_id=rule, trigger_rule=rule)

    group.expand(how=["s", "f"])

with DAG("group_short_circuit", schedule=None):
    @task.short_circuit
    def condition(x):
        return x != 1

    @task_group
    def group(x):
        condition(x) >> EmptyOperator(task_id="below") >> EmptyOperator(task_id="last")

    group.expand(x=[0, 1, 2])

with DAG("group_branch", schedule=None):
    @task.branch
    def choose(x):
        return f"group.{x}"

    @task_group
    def group(x):
        choose(x) >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]

    group.expand(x=["left", "right"])

with DAG("group_outer_upstream_fails", schedule=None):
    bad = end.override(task_id="bad")("f")

    @task_group
    def group(x):
        double(x)

    bad >> group.expand(x=[1, 2])

with DAG("group_sees_plain_values", schedule=None):
    @task
    def base():
        return 10

    @task
    def sum_up(x, y):
        return x + y

    @task_group
    def group(x, y):
        return sum_up(add(x), y)

    group.partial(y=base()).expand(x=[1, 2])

with DAG("group_retry_of_one_index", schedule=None):
    @task(retries=1, retry_delay=timedelta(0))
    def flaky(x):
        if x == 1 and get_current_context()["ti"].try_number == 1:
            raise ValueError("by design")
        return x

    @task_group
    def group(x):
        return double(flaky(x))

    collect(group.expand(x=[0, 1]))

with DAG("group_pulls_own_index", schedule=None):
    @task
    def pull():
        return get_current_context()["ti"].xcom_pull(task_ids="group.add", map_indexes=index())

    @task_group
    def group(x):
        add(x) >> pull()

    group.expand(x=[1, 2])
