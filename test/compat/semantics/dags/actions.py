"""What people do to runs: the DAGs that are cleared and marked by the scenarios."""

import time
from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task
from rendezvous import leave, meet

NOW = timedelta(0)


def this_try():
    return get_current_context()["ti"].try_number


@task
def work():
    return this_try()


def named(name):
    return work.override(task_id=name)()


def chain_of_three(name):
    with DAG(name, schedule=None):
        named("a") >> named("b") >> named("c")
        named("apart")


for name in ["clear_one", "clear_downstream", "clear_upstream", "clear_run", "clear_dry_run", "clear_without_reset", "mark_success_no_change"]:
    chain_of_three(name)

# Fails until somebody has cleared it.
for name in ["clear_failed_only", "clear_run_failed_only", "clear_gives_new_retries", "mark_failed_task_success", "mark_failed_task_skipped"]:
    with DAG(name, schedule=None):
        @task(retries=1 if name == "clear_gives_new_retries" else 0, retry_delay=NOW)
        def fragile():
            if this_try() < (4 if name == "clear_gives_new_retries" else 2):
                raise ValueError("by design")
            return this_try()

        named("first") >> fragile() >> named("below") >> named("last")

with DAG("clear_one_index", schedule=None):
    @task
    def each(x):
        return [x, this_try()]

    @task
    def after(values):
        return list(values)

    after(each.expand(x=[1, 2, 3]))

with DAG("clear_forgets_values", schedule=None):
    @task
    def once():
        if this_try() == 1:
            get_current_context()["ti"].xcom_push(key="extra", value="first")
            return "first"

    @task(trigger_rule="all_done")
    def reads():
        ti = get_current_context()["ti"]
        return [ti.xcom_pull(task_ids="once"), ti.xcom_pull(task_ids="once", key="extra")]

    once() >> reads()

with DAG("clear_while_running", schedule=None):
    @task
    def slow():
        if this_try() == 1:
            time.sleep(120)
        return this_try()

    slow() >> EmptyOperator(task_id="below")

with DAG("clear_future", schedule=None):
    named("a") >> named("b")

with DAG("clear_group_index", schedule=None):
    from airflow.sdk import task_group

    @task_group
    def group(x):
        named("a") >> named("b")

    group.expand(x=[1, 2]) >> named("after")

with DAG("mark_success_task_failed", schedule=None):
    named("a") >> named("b") >> named("c")

for name in ["mark_running_failed", "mark_running_success", "mark_run_failed", "mark_run_success", "mark_running_skipped"]:
    with DAG(name, schedule=None):
        @task
        def slow(run_id=None):
            leave(run_id, "runs")
            time.sleep(120)

        named("first") >> slow() >> named("below") >> EmptyOperator(task_id="done", trigger_rule="all_done")

with DAG("mark_run_failed_with_teardown", schedule=None):
    @task
    def slow():
        time.sleep(120)

    made = named("s")
    made >> slow() >> named("t").as_teardown(setups=made)
    named("after_all")

with DAG("mark_finished_run", schedule=None):
    named("a") >> EmptyOperator(task_id="b")

with DAG("mark_run_queued", schedule=None):
    named("a") >> named("b")

with DAG("mark_one_index", schedule=None):
    @task
    def each(x):
        if x == 2:
            raise ValueError("by design")

    each.expand(x=[1, 2]) >> named("after")

with DAG("mark_with_downstream", schedule=None):
    @task
    def bad():
        raise ValueError("by design")

    bad() >> named("b") >> named("c")

with DAG("trigger_while_paused", schedule=None):
    named("a")

for name in ["clear_while_up_for_retry", "mark_while_up_for_retry"]:
    with DAG(name, schedule=None):
        @task(retries=2, retry_delay=timedelta(hours=1))
        def fragile():
            if this_try() == 1:
                raise ValueError("by design")
            return this_try()

        fragile() >> named("below")

with DAG("pause_while_running", schedule=None):
    @task
    def slow(run_id=None):
        time.sleep(2)

    slow() >> named("below")

with DAG("clear_below_short_circuit", schedule=None):
    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def condition():
        return False

    condition() >> EmptyOperator(task_id="direct") >> EmptyOperator(task_id="further", trigger_rule="all_done")

with DAG("mark_run_success_with_teardown", schedule=None):
    @task
    def slow():
        time.sleep(120)

    made = named("s")
    made >> slow() >> named("t").as_teardown(setups=made)

with DAG("clear_past", schedule=None):
    named("a") >> named("b")

with DAG("trigger_twice", schedule=None):
    named("a")
