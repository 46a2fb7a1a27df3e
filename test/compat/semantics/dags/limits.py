"""What holds tasks back or ends them: limits, pools, priorities, fail_fast and the time-out of a run."""

import time
from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from rendezvous import leave, meet


@task
def brief():
    time.sleep(0.05)


@task
def wait_a_second(x):
    time.sleep(1)


with DAG("fail_fast", schedule=None, fail_fast=True):
    @task
    def fails(run_id=None):
        meet(run_id, "slow runs")
        raise ValueError("by design")

    @task
    def slow(run_id=None):
        leave(run_id, "slow runs")
        time.sleep(60)

    failed = fails()
    failed >> EmptyOperator(task_id="below")
    slow() >> EmptyOperator(task_id="after_slow")
    EmptyOperator(task_id="ended_before")

with DAG("fail_fast_and_teardown", schedule=None, fail_fast=True):
    @task
    def s():
        pass

    @task
    def fails():
        raise ValueError("by design")

    @task
    def t():
        pass

    made = s()
    made >> fails() >> brief() >> t().as_teardown(setups=made)

with DAG("dagrun_timeout", schedule=None, dagrun_timeout=timedelta(seconds=5)):
    @task
    def slow():
        time.sleep(60)

    EmptyOperator(task_id="ended_before")
    slow() >> EmptyOperator(task_id="below") >> EmptyOperator(task_id="always_done", trigger_rule="all_done")

for limit in [1, 2]:
    with DAG(f"limit_of_task_per_dag_{limit}", schedule=None):
        wait_a_second.override(max_active_tis_per_dag=limit).expand(x=[1, 2, 3])

with DAG("limit_of_task_per_run", schedule=None, max_active_runs=4):
    wait_a_second.override(max_active_tis_per_dagrun=1).expand(x=[1, 2])

# Two runs meet in a task that each of them may have running once.
with DAG("limit_per_run_is_not_per_dag", schedule=None, max_active_runs=4, params={"me": "", "you": "", "meeting": ""}):
    @task(max_active_tis_per_dagrun=1)
    def each(x, params=None):
        leave(params["meeting"], params["me"])
        return meet(params["meeting"], params["you"])

    each.expand(x=[1])

with DAG("limit_of_tasks_per_run", schedule=None, max_active_tasks=1):
    wait_a_second.expand(x=[1, 2, 3])

with DAG("limit_of_runs", schedule=None, max_active_runs=1, params={"first": False, "meeting": ""}):
    @task
    def only(params=None):
        leave(params["meeting"], "first" if params["first"] else "second")
        return meet(params["meeting"], "second", 2) if params["first"] else None

    only()

with DAG("pool_of_one", schedule=None):
    for weight in [2, 5, 1, 4, 3]:
        brief.override(task_id=f"weight_{weight}", pool="semantics_one", priority_weight=weight)()

with DAG("pool_order_of_map_indexes", schedule=None):
    brief_each = task(task_id="each", pool="semantics_one_b")(lambda x: None)
    brief_each.expand(x=[1, 2, 3, 4])

with DAG("pool_slots", schedule=None):
    wait_a_second.override(pool="semantics_three", pool_slots=2).expand(x=[1, 2, 3])

with DAG("pool_too_small", schedule=None):
    @task
    def other():
        pass

    brief.override(task_id="wants_four", pool="semantics_three_b", pool_slots=4)()
    brief.override(task_id="wants_one", pool="semantics_three_b")()

with DAG("pool_big_task_does_not_block", schedule=None):
    @task(pool="semantics_two", priority_weight=1)
    def small(run_id=None):
        leave(run_id, "small")
        return meet(run_id, "big", 2)

    @task(pool="semantics_two", pool_slots=2, priority_weight=2)
    def big(run_id=None):
        leave(run_id, "big")
        return meet(run_id, "small", 2)

    small()
    big()

# Three tasks become ready at once; the rule decides which one has the pool first.
for rule, pool in {"downstream": "semantics_one_c", "upstream": "semantics_one_d", "absolute": "semantics_one_e"}.items():
    with DAG(f"weight_rule_{rule}", schedule=None, default_args={"weight_rule": rule, "pool": pool}):
        start, gate = EmptyOperator(task_id="start"), EmptyOperator(task_id="gate")
        others = [EmptyOperator(task_id="other_1"), EmptyOperator(task_id="other_2")]
        start >> [gate, *others]
        gate >> brief.override(task_id="long", priority_weight=1)() >> [EmptyOperator(task_id="below_1", priority_weight=5), EmptyOperator(task_id="below_2", priority_weight=5)]
        gate >> brief.override(task_id="heavy", priority_weight=3)()
        [gate, *others] >> brief.override(task_id="behind", priority_weight=2)()

# A failure that will be retried stops nobody.
with DAG("fail_fast_after_retries", schedule=None, fail_fast=True):
    @task(retries=1, retry_delay=timedelta(0))
    def fails_once(run_id=None, ti=None):
        leave(run_id, "failed once")
        if ti.try_number == 1:
            raise ValueError("by design")

    @task
    def other(run_id=None):
        return meet(run_id, "failed once")

    fails_once()
    other() >> EmptyOperator(task_id="below")

with DAG("dagrun_timeout_of_a_retry", schedule=None, dagrun_timeout=timedelta(seconds=5)):
    @task(retries=1, retry_delay=timedelta(hours=1))
    def fails():
        raise ValueError("by design")

    fails() >> EmptyOperator(task_id="below")
