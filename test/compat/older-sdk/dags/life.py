"""What tasks ask of the Task Execution API, each once; imports under every Task SDK from 1.1 on."""

import os
import signal
from datetime import datetime, timedelta, timezone

import airflow.sdk
from airflow.providers.common.compat.sdk import AirflowNotFoundException, AirflowSkipException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetAlias, BaseHook, BaseOperator, Metadata, Variable, get_current_context, task
from airflow.sdk.api.datamodels._generated import API_VERSION
from waiting import TellingTrigger

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
LARGE = 2**60
ROWS = Asset("rows", uri="s3://lake/rows")
ALIAS = AssetAlias("files")
PARTS = Asset("parts", uri="s3://lake/parts")


class Waits(BaseOperator):
    """Leaves the rest to a trigger."""

    def __init__(self, *, how="tells", limit=None, has_words=True, **kwargs):
        super().__init__(**kwargs)
        self.how = how
        self.limit = limit
        self.has_words = has_words

    def execute(self, context):
        """Defer, with or without words for the method that goes on."""
        context["ti"].xcom_push(key="before", value="pushed before")
        trigger = TellingTrigger(self.how, NOON, timedelta(minutes=5), ("a", "b"), {"list": [1, 1.0, None]})
        words = {"kept": NOON, "number": LARGE} if self.has_words else None
        self.defer(trigger=trigger, method_name="resume", kwargs=words, timeout=self.limit)

    def resume(self, context, event, kept=None, number=None):
        """What came back."""
        return {
            "event": {**event, "at": event["at"].isoformat(), "every": event["every"].total_seconds(), "among": list(event["among"])},
            "kept": kept and kept.isoformat(), "number": number, "before": context["ti"].xcom_pull(task_ids=self.task_id, key="before"),
        }


def note_failure(context):
    """A callback of the task's own process."""
    with open(os.environ["LIFE_NOTES"], "a", encoding="utf-8") as file:
        file.write(f"{context['ti'].task_id} failed by {context['exception']}\n")


with DAG("life", schedule=None, start_date=START):

    @task
    def version():
        return [airflow.sdk.__version__, API_VERSION]

    version()

    @task
    def push(ti=None):
        ti.xcom_push(key="extra/key", value={"f": 1.0, "n": None})
        return {"n": LARGE}

    @task
    def pull(value, ti=None):
        return [value["n"], ti.xcom_pull(task_ids="push", key="extra/key"), ti.xcom_pull(task_ids="push", key="nothing")]

    pull(push())

    @task
    def secrets():
        Variable.set("greeting", "hello")
        Variable.set("short lived", "x")
        Variable.delete("short lived")
        connection = BaseHook.get_connection("my_conn")
        try:
            BaseHook.get_connection("nope")
        except AirflowNotFoundException:
            missing = True
        return [Variable.get("greeting"), Variable.get("short lived", default="gone"), connection.host, connection.password == "pass word", connection.extra_dejson, missing]

    secrets() >> BashOperator(task_id="bash", bash_command="echo '{{ var.value.greeting }} {{ conn.my_conn.login }} {{ run_id }}'")

    @task(retries=1, retry_delay=timedelta(0))
    def retries(ti=None):
        if ti.try_number == 1:
            raise ValueError("the first try")
        return [ti.try_number, ti.max_tries]

    retries()

    @task(retries=1, retry_delay=timedelta(0))
    def killed(ti=None):
        if ti.try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return ti.try_number

    killed()

    @task(on_failure_callback=note_failure)
    def fails():
        raise ValueError("broken")

    fails()

    @task
    def skips():
        raise AirflowSkipException("nothing to do")

    @task
    def after_skip():
        raise AssertionError("never runs")

    skips() >> after_skip()

    @task.branch
    def branch():
        return "left"

    @task
    def left():
        pass

    @task
    def right():
        raise AssertionError("never runs")

    branch() >> [left(), right()]

    Waits(task_id="defers")
    Waits(task_id="defers_bare", has_words=False)
    Waits(task_id="trigger_fails", how="fails")
    Waits(task_id="times_out", how="silent", limit=timedelta(seconds=1))

    @task.sensor(poke_interval=1, timeout=900, mode="reschedule")
    def waits(ti=None):
        context = get_current_context()
        if context["task_reschedule_count"] < 2:
            return False
        ti.xcom_push(key="since", value=ti.get_first_reschedule_date(context) is not None)
        return True

    waits()

    @task
    def numbers():
        return [1, 2, 3]

    @task(map_index_template="{{ shown }}")
    def double(n):
        get_current_context()["shown"] = f"number {n}"
        return n * 2

    @task
    def total(values):
        return [sum(values), len(values), values[0], values[-1], list(values[1:]), list(values[::-1])]

    counted = numbers()
    total(double.expand(n=counted))

    @task
    def looks(ti=None, prev_start_date_success=None):
        before = ti.get_previous_dagrun(state="success")
        return {
            "before": before.run_id, "since": prev_start_date_success.isoformat(), "runs": ti.get_dr_count(dag_id="life", states=["success"]), "run": ti.get_dagrun_state("life", "earlier"),
            "count": ti.get_ti_count(dag_id="life", task_ids=["numbers"], run_ids=[ti.run_id], states=["success"]),
            "states": ti.get_task_states(dag_id="life", task_ids=["numbers"], run_ids=[ti.run_id])[ti.run_id],
        }

    counted >> looks()

    TriggerDagRunOperator(task_id="triggers", trigger_dag_id="other", trigger_run_id="made", conf={"f": 1.0, "n": LARGE}, wait_for_completion=True, poke_interval=1)

    @task(outlets=[ROWS, ALIAS])
    def makes(*, outlet_events):
        outlet_events[ROWS].extra = {"rows": 3}
        yield Metadata(PARTS, extra={"part": 1}, alias=ALIAS)

    @task(inlets=[ROWS, ALIAS])
    def reads(*, inlet_events):
        return [[event.extra for event in inlet_events[ROWS]], [event.extra for event in inlet_events[ALIAS]]]

    makes() >> reads()

    ApprovalOperator(task_id="asks", subject="Go on?", execution_timeout=timedelta(minutes=5))

with DAG("other", schedule=None, start_date=START):

    @task
    def only(dag_run=None):
        return dag_run.conf

    only()

with DAG("fed", schedule=[ROWS], start_date=START):

    @task
    def hears(triggering_asset_events=None):
        return [[event.extra, event.source_task_id, event.asset.uri] for event in triggering_asset_events[ROWS]]

    hears()
