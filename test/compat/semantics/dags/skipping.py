"""Short circuits, branches and other skips: who is skipped, and who is not."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, ShortCircuitOperator
from airflow.sdk import DAG, Label, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException


def empty(name, rule="all_success"):
    return EmptyOperator(task_id=name, trigger_rule=rule)


for value in [True, False]:
    with DAG(f"short_circuit_{str(value).lower()}", schedule=None):
        condition = ShortCircuitOperator(task_id="condition", python_callable=lambda value=value: value)
        condition >> empty("below") >> empty("done", "all_done") >> empty("last", "always")
        empty("beside") >> empty("join", "none_failed")
        condition >> empty("x") >> empty("y", "one_success")

with DAG("short_circuit_respects_rules", schedule=None):
    condition = ShortCircuitOperator(task_id="condition", python_callable=lambda: False, ignore_downstream_trigger_rules=False)
    condition >> empty("below") >> empty("done", "all_done") >> empty("last")
    condition >> empty("direct", "all_done") >> empty("after_direct")

with DAG("short_circuit_values", schedule=None):
    for name, value in {"zero": 0, "text": "x", "none": None, "empty_list": [], "dict": {"a": 1}}.items():
        ShortCircuitOperator(task_id=name, python_callable=lambda value=value: value) >> empty(f"after_{name}")

with DAG("short_circuit_fails", schedule=None):
    @task.short_circuit
    def condition():
        raise ValueError("by design")

    condition() >> empty("below") >> empty("done", "all_done")

BRANCHES = {
    "one": "a", "many": ["a", "b"], "nothing": None, "empty_list": [], "unknown": "nobody", "join": "join", "wrong_type": 5, "not_below": "elsewhere",
}
for name, answer in BRANCHES.items():
    with DAG(f"branch_to_{name}", schedule=None):
        choose = BranchPythonOperator(task_id="choose", python_callable=lambda answer=answer: answer)
        join = empty("join", "none_failed_min_one_success")
        choose >> [empty("a"), empty("b"), empty("c")] >> join
        choose >> join
        empty("elsewhere")

with DAG("branch_to_group", schedule=None):
    @task.branch
    def choose():
        return "left"

    chosen = choose()
    for side in ["left", "right"]:
        with TaskGroup(side) as group:
            empty("first") >> empty("second")
            empty("other")
        chosen >> Label(side) >> group

with DAG("branch_nested", schedule=None):
    @task.branch
    def outer():
        return "inner"

    @task.branch
    def inner():
        return "deep"

    join = empty("join", "none_failed_min_one_success")
    chosen = inner()
    outer() >> [chosen, empty("shallow")]
    chosen >> [empty("deep"), empty("deeper")] >> join
    empty("plain") >> join

with DAG("branch_below_skipped_is_chosen", schedule=None):
    @task.branch
    def choose():
        return "shared"

    chosen = choose()
    skipped = empty("way")
    chosen >> skipped >> empty("shared", "none_failed")
    chosen >> empty("other")

with DAG("branch_over_mapped", schedule=None):
    @task.branch
    def choose():
        return "chosen"

    @task
    def plain(x):
        return x

    chosen = choose()
    chosen >> [plain.override(task_id="chosen").expand(x=[1, 2]), plain.override(task_id="left_out").expand(x=[1, 2])]

with DAG("branch_fails", schedule=None):
    @task.branch
    def choose():
        raise ValueError("by design")

    choose() >> [empty("a"), empty("b", "all_done")]

with DAG("branch_ignores_rules_of_direct", schedule=None):
    @task.branch
    def choose():
        return "a"

    choose() >> [empty("a"), empty("b", "all_done"), empty("c", "always")] >> empty("d", "all_done")

with DAG("skip_cascades", schedule=None):
    @task
    def skips():
        raise AirflowSkipException("by design")

    skips() >> empty("one") >> empty("two") >> empty("three", "none_failed") >> empty("four")

with DAG("skip_decorators", schedule=None):
    @task.skip_if(lambda context: True)
    @task
    def skipped():
        return 1

    @task.skip_if(lambda context: False)
    @task
    def not_skipped():
        return 1

    @task.run_if(lambda context: context["ti"].task_id == "runs")
    @task
    def runs():
        return 1

    @task.run_if(lambda context: False, skip_message="not today")
    @task
    def does_not():
        return 1

    skipped()
    not_skipped()
    runs()
    does_not()

with DAG("latest_only_by_hand", schedule="@daily"):
    LatestOnlyOperator(task_id="latest") >> empty("below") >> empty("done", "all_done")

with DAG("clear_a_branch", schedule=None):
    @task.branch
    def choose():
        return "a"

    choose() >> [empty("a"), empty("b"), empty("c", "all_done")]
