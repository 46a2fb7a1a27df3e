"""The 13 trigger rules over mapped tasks and over task groups; every instance counts."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException

RULES = [
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "one_success", "one_failed",
    "one_done", "none_failed", "none_failed_min_one_success", "none_skipped", "all_skipped", "always",
]


@task
def end(how):
    if how == "k":
        raise AirflowSkipException("by design")
    if how == "f":
        raise ValueError("by design")


for mix in ["ss", "sk", "sf", "kk", "ff"]:
    with DAG(f"rules_over_mapped_{mix}", schedule=None):
        many = end.override(task_id="many").expand(how=list(mix))
        for rule in RULES:
            many >> EmptyOperator(task_id=rule, trigger_rule=rule)

for mix in ["ss", "sk", "sf"]:
    with DAG(f"rules_over_group_{mix}", schedule=None):
        with TaskGroup("group") as group:
            first = EmptyOperator(task_id="first")
            for at, how in enumerate(mix):
                first >> end.override(task_id=f"leaf_{at}")(how)
        for rule in RULES:
            group >> EmptyOperator(task_id=rule, trigger_rule=rule)

# The rule of a mapped task is judged for its instances, too.
for rule in ["all_success", "all_done", "one_failed", "none_failed", "all_failed"]:
    with DAG(f"mapped_with_{rule}", schedule=None):
        @task(trigger_rule=rule)
        def each(x):
            return x

        [end.override(task_id="good")("s"), end.override(task_id="bad")("f")] >> each.expand(x=[1, 2])
