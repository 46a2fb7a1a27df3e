"""KubernetesPodOperator in each of its ways, against the cluster that a connection names."""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, task

PYTHON = "localhost/airflow-python:1"
SHELL = "localhost/busybox:1"
POD = {"kubernetes_conn_id": "cluster", "namespace": "pods", "image_pull_policy": "Never", "startup_check_interval_seconds": 1, "termination_grace_period": 1}
COUNTING = "import os, time\nprint('hello', os.environ['GREETING'])\nfor n in range(3):\n    print('line', n, flush=True)\n    time.sleep(0.3)"


def in_shell(task_id, script, **more):
    """A pod that runs a script."""
    return KubernetesPodOperator(task_id=task_id, name=task_id.replace("_", "-"), image=SHELL, cmds=["sh", "-c"], arguments=[script], **{**POD, **more})


with DAG("pods_logs", schedule=None):
    KubernetesPodOperator(task_id="counts", name="counts", image=PYTHON, cmds=["python3", "-c"], arguments=[COUNTING], env_vars={"GREETING": "{{ run_id }}"}, get_logs=True, **POD)

with DAG("pods_values", schedule=None):

    @task
    def twice(value):
        """What the pod left in its file."""
        return [value["rows"] * 2, value["share"]]

    twice(in_shell("leaves", """echo '{"rows": 21, "share": 1.0}' > /airflow/xcom/return.json""", do_xcom_push=True).output)

with DAG("pods_failing", schedule=None):
    in_shell("deleted", "echo going; exit 3", on_finish_action="delete_pod")
    in_shell("kept", "echo staying; exit 3", on_finish_action="delete_succeeded_pod")
    in_shell("skipped", "exit 4", skip_on_exit_code=4)

with DAG("pods_deferred", schedule=None):
    in_shell("waits", """echo begins; sleep 4; echo '"from a deferred pod"' > /airflow/xcom/return.json; echo ends""", deferrable=True, poll_interval=1, do_xcom_push=True)
    in_shell("breaks", "echo begins; sleep 3; exit 5", deferrable=True, poll_interval=1)

with DAG("pods_stopped", schedule=None):
    in_shell("marked", "echo asleep; sleep 600")
    in_shell("cleared", "echo asleep; sleep 600")

with DAG("pods_stopped_deferred", schedule=None):
    in_shell("away", "echo asleep; sleep 600", deferrable=True, poll_interval=1)

with DAG("pods_decorated", schedule=None):

    @task.kubernetes(image=PYTHON, do_xcom_push=True, **POD)
    def sums(numbers, *, start):
        """In a Python of its own."""
        import sys

        print("inside", sys.prefix)
        return {"sum": sum(numbers, start), "python": sys.version_info[0]}

    @task
    def tells(total):
        """Outside again."""
        return total["sum"]

    tells(sums([1, 2, 3], start=10))
