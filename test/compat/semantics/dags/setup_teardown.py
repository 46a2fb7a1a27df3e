"""Setups and teardowns: who runs after a failure, who decides the run, and what waits for whom."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, setup, task, task_group, teardown
from airflow.sdk.exceptions import AirflowSkipException
from rendezvous import leave, meet


@task
def run(how="s"):
    if how == "k":
        raise AirflowSkipException("by design")
    if how == "f":
        raise ValueError("by design")


def named(name, how="s"):
    return run.override(task_id=name)(how)


with DAG("teardown_after_success", schedule=None):
    s, t = named("s"), named("t")
    s.as_setup() >> named("work") >> t.as_teardown(setups=s)

with DAG("teardown_after_failure", schedule=None):
    s, t = named("s"), named("t")
    s >> named("work", "f") >> named("next") >> t.as_teardown(setups=s)

with DAG("teardown_after_skip", schedule=None):
    s, t = named("s"), named("t")
    s >> named("work", "k") >> t.as_teardown(setups=s)

with DAG("teardown_failure_is_ignored", schedule=None):
    s, t = named("s"), named("t", "f")
    s >> named("work") >> t.as_teardown(setups=s)

with DAG("teardown_failure_fails_the_run", schedule=None):
    s, t = named("s"), named("t", "f")
    s >> named("work") >> t.as_teardown(setups=s, on_failure_fail_dagrun=True)

with DAG("teardown_failure_and_what_follows", schedule=None):
    s, t = named("s"), named("t", "f")
    s >> named("work") >> t.as_teardown(setups=s)
    t >> named("after")

with DAG("setup_fails", schedule=None):
    s, t = named("s", "f"), named("t")
    s >> named("work") >> EmptyOperator(task_id="always", trigger_rule="always") >> t.as_teardown(setups=s)

with DAG("setup_skips", schedule=None):
    s, t = named("s", "k"), named("t")
    s >> named("work") >> EmptyOperator(task_id="done", trigger_rule="all_done") >> t.as_teardown(setups=s)

with DAG("setups_two_one_fails", schedule=None):
    a, b, t = named("a"), named("b", "f"), named("t")
    [a, b] >> named("work") >> t.as_teardown(setups=[a, b])

with DAG("setups_two_one_skips", schedule=None):
    a, b, t = named("a"), named("b", "k"), named("t")
    [a, b] >> named("work") >> t.as_teardown(setups=[a, b])

with DAG("teardowns_two", schedule=None):
    s, t1, t2 = named("s"), named("t1", "f"), named("t2")
    work = named("work")
    s >> work
    work >> [t1.as_teardown(setups=s), t2.as_teardown(setups=s)]

with DAG("setups_nested", schedule=None):
    outer, inner = named("outer"), named("inner", "f")
    inner_down, outer_down = named("inner_down"), named("outer_down")
    outer >> inner >> named("work") >> inner_down.as_teardown(setups=inner) >> outer_down.as_teardown(setups=outer)

with DAG("setup_context_manager", schedule=None):
    @setup
    def make():
        return "made"

    @teardown
    def remove(value):
        return f"removed {value}"

    made = make()
    with remove(made).as_teardown(setups=made):
        named("first", "f") >> named("second")
    named("outside")

with DAG("teardown_waits_for_all_between", schedule=None):
    @task
    def slow(run_id=None):
        return meet(run_id, "teardown", 2)

    @task
    def end_all(run_id=None):
        leave(run_id, "teardown")

    s = named("s")
    t = end_all()
    hasty = EmptyOperator(task_id="hasty", trigger_rule="always")
    s >> slow() >> hasty >> t.as_teardown(setups=s)

with DAG("teardown_without_setup", schedule=None):
    named("work", "f") >> named("t").as_teardown()

with DAG("teardown_only", schedule=None):
    named("t", "f").as_teardown()

with DAG("teardown_is_no_leaf_of_a_group", schedule=None):
    with TaskGroup("group") as group:
        s, t = named("s"), named("t", "f")
        s >> named("work") >> t.as_teardown(setups=s)
    group >> named("after")

with DAG("setup_and_teardown_only", schedule=None):
    s = named("s")
    s >> named("t").as_teardown(setups=s)

with DAG("teardown_and_short_circuit", schedule=None):
    @task.short_circuit
    def condition():
        return False

    s, t = named("s"), named("t")
    s >> condition() >> named("work") >> t.as_teardown(setups=s)

with DAG("teardown_of_mapped_work", schedule=None):
    @task
    def each(x):
        if x == 2:
            raise ValueError("by design")

    s, t = named("s"), named("t")
    s >> each.expand(x=[1, 2, 3]) >> t.as_teardown(setups=s)

with DAG("clear_with_setups", schedule=None):
    s, t = named("s"), named("t")
    s >> named("w1") >> named("w2") >> t.as_teardown(setups=s)
    named("apart")

with DAG("setup_in_mapped_group", schedule=None):
    @task
    def picky(x):
        if x == 2:
            raise ValueError("by design")

    @task_group
    def group(x):
        s, t = named("s"), named("t")
        s >> picky(x) >> t.as_teardown(setups=s)

    group.expand(x=[1, 2]) >> EmptyOperator(task_id="after")

with DAG("setup_of_mapped_fails_in_part", schedule=None):
    @task
    def picky(x):
        if x == 2:
            raise ValueError("by design")

    s, t = picky.expand(x=[1, 2]), named("t")
    s.as_setup() >> named("work") >> t.as_teardown(setups=s)
