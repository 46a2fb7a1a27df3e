"""Tasks that defer, and how they end."""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException
from endless import Endless


class Defers(BaseOperator):
    """Waits for a trigger that does as it is told."""

    def __init__(self, *, does, method="resume", timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.does, self.method, self.timeout = does, method, timeout

    def execute(self, context):
        """Defer."""
        self.defer(trigger=Endless(self.does), method_name=self.method, timeout=self.timeout)

    def resume(self, context, event=None):
        """Look at what the trigger brought."""
        if event["status"] == "error":
            raise AirflowException(f"the job failed: {event['message']}")


with DAG("deferred_endings", max_active_tasks=100):
    Defers(task_id="trigger_raises", does="raise")
    Defers(task_id="trigger_raises_twice", does="raise", retries=1, retry_delay=timedelta(seconds=0.2))
    Defers(task_id="trigger_tells_a_secret", does="tell a secret")
    Defers(task_id="trigger_awaits_what_is_cancelled", does="await what is cancelled")
    Defers(task_id="trigger_brings_an_error", does="error")
    Defers(task_id="trigger_brings_no_number", does="bring no number")
    Defers(task_id="trigger_ends_with_no_number", does="end with no number")
    Defers(task_id="trigger_ends_it_as_failed", does="fail")
    Defers(task_id="trigger_skips_it", does="skip")
    Defers(task_id="waits_too_long", does="wait", timeout=timedelta(seconds=1))
    Defers(task_id="names_no_method", does="succeed", method="not_there")
    TriggerDagRunOperator(task_id="triggers_no_dag", trigger_dag_id="not_there", wait_for_completion=True, deferrable=True)
