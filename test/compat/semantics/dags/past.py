"""What the run before has to say: depends_on_past, wait_for_downstream, and skips that wait for it."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException
from rendezvous import leave, meet


def end(params, key):
    how = params.get(key)
    if how == "fail":
        raise ValueError("by design")
    if how == "skip":
        raise AirflowSkipException("by design")


PLAIN = {"t": "", "down": "", "far": ""}

with DAG("past_must_not_have_failed", schedule=None, params=PLAIN):
    @task(depends_on_past=True)
    def t(params=None):
        end(params, "t")

    @task
    def other():
        pass

    t()
    other()

with DAG("past_may_be_skipped", schedule=None, params=PLAIN):
    @task(depends_on_past=True)
    def t(params=None):
        end(params, "t")

    t()

with DAG("past_is_the_task_not_the_run", schedule=None, params={"first": False, "meeting": ""}, max_active_runs=4):
    @task(depends_on_past=True)
    def t(params=None):
        if not params["first"]:
            leave(params["meeting"], "second")

    # The first run goes on while the second one's task runs.
    @task
    def slow(params=None):
        return meet(params["meeting"], "second") if params["first"] else None

    t()
    slow()

with DAG("past_waits_for_downstream", schedule=None, params=PLAIN):
    @task(wait_for_downstream=True)
    def t(params=None):
        end(params, "t")

    @task
    def down(params=None):
        end(params, "down")

    @task
    def other():
        pass

    t() >> down()
    other()

with DAG("past_waits_for_direct_downstream_only", schedule=None, params=PLAIN):
    @task(wait_for_downstream=True)
    def t(params=None):
        end(params, "t")

    @task
    def down(params=None):
        end(params, "down")

    @task
    def far(params=None):
        end(params, "far")

    t() >> down() >> far()

with DAG("past_first_run", schedule=None):
    EmptyOperator(task_id="ignores", depends_on_past=True, ignore_first_depends_on_past=True)
    EmptyOperator(task_id="does_not", depends_on_past=True, ignore_first_depends_on_past=False)

with DAG("past_of_mapped", schedule=None, params={"bad": 0}):
    @task(depends_on_past=True)
    def each(x, params=None):
        if x == params["bad"]:
            raise ValueError("by design")

    @task
    def other():
        pass

    each.expand(x=[1, 2])
    other()

with DAG("past_without_logical_date", schedule=None, params=PLAIN):
    @task(depends_on_past=True)
    def t(params=None):
        end(params, "t")

    t()

for waits in [True, False]:
    with DAG(f"skip_{'waits' if waits else 'does_not_wait'}_for_past", schedule=None, params={"up": "", "t": ""}):
        @task
        def up(params=None):
            end(params, "up")

        @task(depends_on_past=True, wait_for_past_depends_before_skipping=waits)
        def t(params=None):
            end(params, "t")

        @task
        def other():
            pass

        up() >> t()
        other()

with DAG("past_blocks_what_is_below", schedule=None, params=PLAIN):
    @task(depends_on_past=True)
    def t(params=None):
        end(params, "t")

    @task(trigger_rule="all_done")
    def down():
        pass

    t() >> down()
