"""Fixture: branches, short circuits, skips, conditions, labels, groups."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from airflow.sdk import DAG, BaseBranchOperator, Label, TaskGroup, chain, cross_downstream, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

with DAG("branching"):

    class Mine(BaseBranchOperator):
        def choose_branch(self, context):
            return ["left"]

    @task.branch
    def choose():
        return "group"

    @task.branch
    def wrong():
        return "nowhere"

    with TaskGroup("group", tooltip="t") as group:
        a = EmptyOperator(task_id="a")
        b = EmptyOperator(task_id="b", on_success_callback=lambda context: None)
        a >> b

    left, right, join = (EmptyOperator(task_id=name, trigger_rule="none_failed_min_one_success") for name in ("left", "right", "join"))
    choose() >> [group, right]
    left >> Label("then") >> join
    group >> join
    Mine(task_id="mine") >> [left, right]
    wrong() >> left

    stop = ShortCircuitOperator(task_id="stop", python_callable=lambda: False)
    soft = ShortCircuitOperator(task_id="soft", python_callable=lambda: 0, ignore_downstream_trigger_rules=False)
    go = ShortCircuitOperator(task_id="go", python_callable=lambda: "yes")
    tail = EmptyOperator(task_id="tail")
    chain([stop, soft, go], [EmptyOperator(task_id=f"e{i}") for i in range(3)], tail)
    cross_downstream([left], [tail])

    @task.skip_if(lambda context: True, skip_message="not today")
    @task
    def conditional():
        return 1

    @task
    def skipping():
        raise AirflowSkipException("enough")

    @task(retries=3)
    def failing():
        raise AirflowFailException("for good")

    @task
    def exiting():
        raise SystemExit(3)

    @task
    def broken():
        return object()

    conditional(), skipping(), failing(), exiting(), broken()
    BranchPythonOperator(task_id="old_branch", python_callable=lambda ti: ["e0"]) >> [tail, right]
    PythonOperator(task_id="old", python_callable=lambda word, **context: word + context["ds"], op_kwargs={"word": "{{ params.w }}"},
                   params={"w": "W"})
