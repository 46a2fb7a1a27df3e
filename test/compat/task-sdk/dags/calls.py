"""One DAG per way in which a task talks to the Task Execution API."""

import os
import signal
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import BaseHook, PokeReturnValue, Variable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException


def one(**more):
    """A DAG that runs when it is triggered."""
    return dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, default_args={"retry_delay": timedelta(seconds=0)}, **more)


@one()
def calls_bash():
    BashOperator(task_id="bash", bash_command="echo hello")


@one()
def calls_nothing_pushed():
    BashOperator(task_id="quiet", bash_command="true", do_xcom_push=False)


@one()
def calls_xcom():
    @task
    def push():
        return {"a": 1}

    @task
    def pull(value):
        return value["a"]

    pull(push())


@one()
def calls_pull_by_hand():
    @task
    def push():
        get_current_context()["ti"].xcom_push(key="other", value=[1, 2])

    @task
    def pull():
        ti = get_current_context()["ti"]
        return [ti.xcom_pull(task_ids="push", key="other"), ti.xcom_pull(task_ids="push", key="never"), ti.xcom_pull(task_ids="nobody")]

    push() >> pull()


@one()
def calls_variables():
    @task
    def use():
        Variable.set("calls_set", "2", description="by a task")
        first = Variable.get("calls_greeting"), Variable.get("calls_missing", default="none"), Variable.get("calls_set")
        Variable.delete("calls_set")
        return list(first)

    use()


@one()
def calls_connection():
    @task
    def use():
        return BaseHook.get_connection("calls_conn").host

    use()


@one()
def calls_missing_connection():
    @task
    def use():
        BaseHook.get_connection("calls_nope")

    use()


@one()
def calls_branch():
    @task.branch
    def branch():
        return "left"

    @task
    def left(): ...

    @task
    def right(): ...

    branch() >> [left(), right()]


@one()
def calls_short_circuit():
    @task.short_circuit
    def gate():
        return False

    @task
    def after(): ...

    @task
    def later(): ...

    gate() >> after() >> later()


@one()
def calls_fails():
    @task
    def fails():
        raise ValueError("as planned")

    fails()


@one()
def calls_retry():
    @task(retries=1)
    def second_try():
        if get_current_context()["ti"].try_number == 1:
            raise ValueError("as planned")

    second_try()


@one()
def calls_no_retry():
    @task(retries=3)
    def fails():
        raise AirflowFailException("for good")

    fails()


@one()
def calls_skip():
    @task
    def skips():
        raise AirflowSkipException("not today")

    skips()


@one()
def calls_mapped():
    @task
    def numbers():
        return [1, 2]

    @task
    def double(n):
        return n * 2

    @task
    def together(values):
        return list(values)

    @task
    def some(values):
        return [len(values), values[1], list(values[0:1])]

    doubled = double.expand(n=numbers())
    together(doubled)
    some(doubled)


@one()
def calls_exit():
    @task
    def dies():
        os._exit(7)

    dies()


@one()
def calls_killed():
    @task
    def dies():
        os.kill(os.getpid(), signal.SIGKILL)

    dies()


@one()
def calls_exit_with_retry():
    @task(retries=1)
    def dies_once():
        if get_current_context()["ti"].try_number == 1:
            os._exit(7)

    dies_once()


@one()
def calls_reschedule():
    @task.sensor(mode="reschedule", poke_interval=4, timeout=60)
    def second_poke():
        return PokeReturnValue(is_done=get_current_context()["task_reschedule_count"] > 0, xcom_value="done")

    second_poke()


@one()
def calls_deferred():
    DateTimeSensorAsync(task_id="wait", target_time="{{ (dag_run.run_after + macros.timedelta(seconds=3)).isoformat() }}")


@one()
def calls_trigger():
    TriggerDagRunOperator(task_id="start", trigger_dag_id="calls_bash", trigger_run_id="triggered__{{ run_id }}", conf={"by": "calls"}, wait_for_completion=True, poke_interval=1)


@one()
def calls_rendered_index():
    @task(map_index_template="{{ label }}")
    def named(n):
        get_current_context()["label"] = f"number {n}"
        return n

    named.expand(n=[7])


@one()
def calls_outlet():
    from airflow.sdk import Asset

    @task(outlets=[Asset("calls_asset", uri="file:///calls")])
    def updates(*, outlet_events):
        outlet_events[Asset("calls_asset", uri="file:///calls")].extra = {"rows": 3}

    @task(inlets=[Asset("calls_asset", uri="file:///calls")])
    def reads(*, inlet_events):
        return inlet_events[Asset("calls_asset", uri="file:///calls")][-1].extra

    updates() >> reads()


@one()
def calls_states():
    @task
    def first():
        return 1

    @task
    def asks():
        ti = get_current_context()["ti"]
        states = ti.get_task_states(dag_id="calls_states", task_ids=["first"], run_ids=[ti.run_id])
        return [ti.get_ti_count(dag_id="calls_states", states=["success"], run_ids=[ti.run_id]), list(states.values())[0], ti.get_dagrun_state(dag_id="calls_states", run_id=ti.run_id)]

    first() >> asks()


for make in [value for name, value in dict(globals()).items() if name.startswith("calls_")]:
    make()
