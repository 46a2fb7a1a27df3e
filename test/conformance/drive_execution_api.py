"""Drives every method of the Task SDK's own client against a server; its models decide about each answer. Prints what it read as one JSON object."""

import inspect
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

import httpx
from airflow.sdk.api import client as sdk
from airflow.sdk.api.datamodels._generated import AssetProfile, TaskInstanceState, TerminalStateNonSuccess
from airflow.sdk.execution_time.comms import DeferTask, RescheduleTask, SkipDownstreamTasks

DAY = datetime(2026, 1, 3, tzinfo=timezone.utc)
NOW = datetime.now(timezone.utc)


class Driver:
    """One client per job; remembers which methods answered, and what."""

    def __init__(self, plan: dict):
        self.plan = plan
        self.called: set[str] = set()
        self.read: dict[str, list] = {}
        self.absent: set[str] = set()

    def client(self, task: str, socket: str | None = None) -> tuple[sdk.Client, uuid.UUID]:
        job = self.plan["jobs"][task]
        transport = {} if socket is None else {"transport": httpx.HTTPTransport(uds=socket)}
        return sdk.Client(base_url=self.plan["url"], token=job["token"], **transport), uuid.UUID(job["id"])

    def call(self, client: sdk.Client, name: str, /, *args, **kwargs):
        """Calls `operations.method` and keeps what came back as JSON. What an older client has no word for is left out, and noted."""
        group, method = name.split(".")
        if self.lacks(client, name):
            return None
        operations = getattr(client, group)
        if self.plan["is_older"]:
            known = inspect.signature(getattr(operations, method)).parameters
            kwargs = {key: value for key, value in kwargs.items() if key in known}
        answer = getattr(operations, method)(*args, **kwargs)
        self.called.add(f"{type(operations).__name__}.{method}")
        self.read.setdefault(name, []).append(answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer)
        return answer

    def lacks(self, client: sdk.Client, name: str) -> bool:
        """Whether an older client has no such method."""
        group, method = name.split(".")
        if not self.plan["is_older"] or hasattr(getattr(client, group, None), method):
            return False
        self.absent.add(name)
        return True

    def refused(self, client: sdk.Client, name: str, /, *args, **kwargs):
        """The status and the detail that the SDK reads of a refusal."""
        group, method = name.split(".")
        if self.lacks(client, name):
            return
        try:
            getattr(getattr(client, group), method)(*args, **kwargs)
        except sdk.ServerResponseError as error:
            self.read.setdefault("refused", []).append([name, error.response.status_code, error.detail])
            return
        raise AssertionError(f"{name} was not refused")

    def uncalled(self) -> list[str]:
        classes = [value for key, value in vars(sdk).items() if key.endswith("Operations") and isinstance(value, type)]
        methods = {f"{cls.__name__}.{name}" for cls in classes for name in vars(cls) if not name.startswith("_") and callable(getattr(cls, name))}
        return sorted(methods - self.called)


def drive_reads(driver: Driver, client: sdk.Client, ti: uuid.UUID) -> None:
    call = driver.call
    call(client, "variables.set", "greeting", "hello", "a word")
    call(client, "variables.get", "greeting")
    call(client, "variables.get", "missing")
    call(client, "variables.delete", "greeting")
    call(client, "connections.get", "my_conn")
    call(client, "connections.get", "nope")
    own = ("conform", driver.plan["run_id"], "reads")
    call(client, "xcoms.set", *own, "a key", {"f": 1.0, "n": None}, mapped_length=2)
    call(client, "xcoms.get", *own, "a key")
    call(client, "xcoms.get", *own, "missing")
    call(client, "xcoms.get", *own, "a key", map_index=0, include_prior_dates=True)
    call(client, "xcoms.delete", *own, "a key")
    mapped = ("conform", driver.plan["run_id"], "mapped", "return_value")
    call(client, "xcoms.head", *mapped)
    for offset in (0, 2, 3):
        call(client, "xcoms.get_sequence_item", *mapped, offset)
    call(client, "xcoms.get_sequence_slice", *mapped, None, None, -1)
    call(client, "task_instances.get_count", "conform", task_ids=["reads"], run_ids=[driver.plan["run_id"]], states=["running"], logical_dates=[DAY])
    call(client, "task_instances.get_count", "conform", map_index=2, task_group_id="g")
    call(client, "task_instances.get_task_states", "conform", run_ids=[driver.plan["run_id"]], task_ids=["reads"])
    call(client, "task_instances.get_previous", "conform", "reads", logical_date=DAY, state=TaskInstanceState.SUCCESS)
    call(client, "task_instances.get_previous", "conform", "reads", logical_date=DAY - timedelta(days=5))
    call(client, "task_instances.get_task_breakcrumbs", "conform", driver.plan["run_id"])
    call(client, "task_instances.get_previous_successful_dagrun", ti)
    call(client, "task_instances.get_reschedule_start_date", ti, 1)
    call(client, "task_instances.validate_inlets_and_outlets", ti)
    call(client, "dag_runs.trigger", "other", "made", conf={"f": 1.0}, logical_date=DAY, note="n")
    call(client, "dag_runs.trigger", "other", "made", conf={}, logical_date=DAY)
    call(client, "dag_runs.trigger", "other", "made", reset_dag_run=True)
    call(client, "dag_runs.clear", "other", "made")
    call(client, "dag_runs.get_state", "other", "made")
    call(client, "dag_runs.get_detail", "conform", driver.plan["run_id"])
    call(client, "dag_runs.get_count", "conform", logical_dates=[DAY], run_ids=[driver.plan["run_id"]], states=["running"])
    call(client, "dag_runs.get_previous", "conform", DAY, state="success")
    call(client, "dag_runs.get_previous", "conform", DAY, state="failed")
    call(client, "dags.get", "conform")
    call(client, "assets.get", name="n")
    call(client, "assets.get", uri="s3://n")
    call(client, "assets.get", name="missing")
    call(client, "asset_events.get", name="n", after=DAY - timedelta(days=900), before=NOW + timedelta(days=1), ascending=False, limit=5)
    call(client, "asset_events.get", alias_name="al")
    question = {"options": ["yes", "no"], "subject": "s", "body": "b", "defaults": ["no"], "params": {}, "assigned_users": []}
    call(client, "hitl.add_response", ti_id=ti, **question)
    call(client, "hitl.get_detail_response", ti)
    call(client, "hitl.update_response", ti_id=ti, chosen_options=["yes"], params_input={"p": 1})
    driver.refused(client, "hitl.update_response", ti_id=ti, chosen_options=["no"], params_input={})
    driver.refused(client, "dag_runs.get_state", "other", "no")
    driver.refused(client, "dags.get", "no")
    driver.refused(client, "task_instances.heartbeat", uuid.UUID(int=1), 5)
    driver.refused(client, "variables.set", "", "v")
    driver.refused(client, "xcoms.set", *own, "k", [], mapped_length=100000)


def drive_ends(driver: Driver) -> None:
    call = driver.call
    client, ti = driver.client("defers")
    call(client, "task_instances.start", ti, 5, NOW)
    message = DeferTask(classpath="a.Trigger", trigger_kwargs={"at": 1.0}, trigger_timeout=timedelta(seconds=90), next_method="done", next_kwargs={"n": 1.0})
    call(client, "task_instances.defer", ti, message)
    client, ti = driver.client("waits")
    call(client, "task_instances.start", ti, 5, NOW)
    call(client, "task_instances.reschedule", ti, RescheduleTask(reschedule_date=NOW + timedelta(seconds=600), end_date=NOW))
    client, ti = driver.client("retries")
    call(client, "task_instances.start", ti, 5, NOW)
    call(client, "task_instances.retry", ti, NOW, None)
    client, ti = driver.client("fails")
    call(client, "task_instances.start", ti, 5, NOW)
    call(client, "task_instances.finish", ti, TerminalStateNonSuccess.FAILED, NOW, "name")
    driver.refused(client, "task_instances.heartbeat", ti, 5)
    driver.refused(client, "task_instances.finish", ti, TerminalStateNonSuccess.FAILED, NOW, None)


def drive(driver: Driver) -> None:
    client, ti = driver.client("reads")
    driver.call(client, "task_instances.start", ti, 5, NOW)
    driver.call(client, "task_instances.start", ti, 5, NOW)
    try:
        client.task_instances.start(ti, 6, NOW)
        raise AssertionError("a second process began")
    except getattr(sdk, "TaskAlreadyRunningError", sdk.ServerResponseError) as error:
        driver.read["second process"] = [str(error)]
    driver.call(client, "task_instances.heartbeat", ti, 5)
    driver.refused(client, "task_instances.heartbeat", ti, 6)
    driver.call(client, "task_instances.set_rtif", ti, {"bash_command": "echo \u0000"})
    driver.call(client, "task_instances.set_rendered_map_index", ti, "named")
    drive_reads(driver, client, ti)
    driver.call(client, "task_instances.skip_downstream_tasks", ti, SkipDownstreamTasks(tasks=[("skipped", -1)]))
    outlets = [AssetProfile(name="n", uri="s3://n", type="Asset")]
    driver.call(client, "task_instances.succeed", ti, NOW, outlets, [{"dest_asset_key": {"name": "n", "uri": "s3://n"}, "extra": {"rows": 1.0}}], "named")
    driver.call(client, "xcoms.set", "conform", driver.plan["run_id"], "reads", "_link_A", "http://x")
    driver.call(client, "asset_events.get", name="n")
    drive_ends(driver)
    client, ti = driver.client("socket", socket=driver.plan["socket"])
    driver.call(client, "task_instances.start", ti, 5, NOW)
    driver.call(client, "xcoms.set", "conform", driver.plan["run_id"], "socket", "return_value", "x" * 300)
    driver.call(client, "xcoms.get", "conform", driver.plan["run_id"], "socket", "return_value")
    driver.call(client, "variables.get", "missing")
    driver.call(client, "task_instances.succeed", ti, NOW, [], [], None)


if __name__ == "__main__":
    told = Driver(json.loads(sys.argv[1]))
    drive(told)
    print(json.dumps({"uncalled": told.uncalled(), "absent": sorted(told.absent), **told.read}, default=lambda model: model.model_dump(mode="json")))
