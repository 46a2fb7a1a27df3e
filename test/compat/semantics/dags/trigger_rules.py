"""The 13 trigger rules over plain upstreams, one DAG a rule: each task has another mix of upstream states."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

RULES = [
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "one_success", "one_failed",
    "one_done", "none_failed", "none_failed_min_one_success", "none_skipped", "all_skipped", "always",
]

# s: success, k: skipped, f: failed, u: upstream_failed. A mix whose outcome depends on who ends first is in `upstream_order`.
MIXES = ["s", "k", "f", "u", "ss", "sk", "sf", "su", "fu"]


@task
def skip():
    raise AirflowSkipException("by design")


@task
def fail():
    raise ValueError("by design")


def upstreams():
    failed = fail.override(task_id="f")()
    blocked = EmptyOperator(task_id="u")
    failed >> blocked
    return {"s": EmptyOperator(task_id="s"), "k": skip.override(task_id="k")(), "f": failed, "u": blocked}


for rule in RULES:
    with DAG(f"rule_{rule}", schedule=None):
        states = upstreams()
        again = EmptyOperator(task_id="s2")
        for mix in MIXES:
            result = EmptyOperator(task_id=f"after_{mix}", trigger_rule=rule)
            ([states["s"], again] if mix == "ss" else [states[each] for each in mix]) >> result
        EmptyOperator(task_id="after_nothing", trigger_rule=rule)

# Who ends first decides where both a skip and a failure would settle a task.
with DAG("upstream_order", schedule=None):
    skipped = skip.override(task_id="k")()
    late = fail.override(task_id="f_after_k", trigger_rule="all_done")()
    skipped >> late
    failed = fail.override(task_id="f")()
    later = skip.override(task_id="k_after_f", trigger_rule="all_done")()
    failed >> later
    for rule in ["all_success", "none_skipped", "none_failed_min_one_success", "all_skipped"]:
        [skipped, late] >> EmptyOperator(task_id=f"skip_first_{rule}", trigger_rule=rule)
        [failed, later] >> EmptyOperator(task_id=f"failure_first_{rule}", trigger_rule=rule)

# An early verdict does not wait for an upstream that still runs, the others do.
with DAG("upstream_running", schedule=None):
    from rendezvous import leave, meet

    @task
    def slow(run_id=None):
        return meet(run_id, "early")

    @task(trigger_rule="one_failed")
    def early(run_id=None):
        leave(run_id, "early")

    failed = fail.override(task_id="f")()
    running = slow()
    [failed, running] >> early()
    [failed, running] >> EmptyOperator(task_id="patient", trigger_rule="all_done")
