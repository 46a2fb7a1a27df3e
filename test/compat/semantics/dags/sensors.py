"""Sensors: poke and reschedule, how they end, and which tries they use up."""

from datetime import timedelta

from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, PokeReturnValue, task
from rendezvous import arrivals

NOW = timedelta(0)


def third_time(name):
    def poke(run_id=None, **_):
        return arrivals(run_id, name) >= 2

    return poke


# Airflow 3.2.1 fails a task that is rescheduled before its scheduler has heard of the end of the one before.
SLOWLY = 4

for mode, interval in {"poke": 0.1, "reschedule": SLOWLY}.items():
    with DAG(f"sensor_{mode}", schedule=None):
        @task
        def after(run_id=None):
            return arrivals(run_id, "pokes") - 1

        PythonSensor(task_id="sense", python_callable=third_time("pokes"), mode=mode, poke_interval=interval) >> after()

    with DAG(f"sensor_{mode}_times_out", schedule=None):
        @task(trigger_rule="all_done")
        def after():
            pass

        PythonSensor(task_id="sense", python_callable=lambda: False, mode=mode, poke_interval=interval, timeout=1.5, retries=2, retry_delay=NOW) >> after()

    with DAG(f"sensor_{mode}_soft_fail", schedule=None):
        @task
        def after():
            pass

        PythonSensor(task_id="sense", python_callable=lambda: False, mode=mode, poke_interval=interval, timeout=1.5, soft_fail=True) >> after()

    with DAG(f"sensor_{mode}_error_is_retried", schedule=None):
        def poke(run_id=None, **_):
            if arrivals(run_id, "pokes") == 1:
                raise ValueError("by design")
            return True

        PythonSensor(task_id="sense", python_callable=poke, mode=mode, poke_interval=interval, retries=2, retry_delay=NOW)

with DAG("sensor_reschedule_after_retry", schedule=None):
    def poke(run_id=None, **_):
        turn = arrivals(run_id, "pokes")
        if turn == 2:
            raise ValueError("by design")
        return turn >= 3

    PythonSensor(task_id="sense", python_callable=poke, mode="reschedule", poke_interval=SLOWLY, retries=1, retry_delay=NOW)

with DAG("sensor_value", schedule=None):
    @task.sensor(poke_interval=0.1, mode="poke")
    def sense(run_id=None):
        return PokeReturnValue(is_done=arrivals(run_id, "pokes") >= 2, xcom_value="seen")

    @task.sensor(poke_interval=0.1)
    def bare():
        return True

    @task
    def after(value):
        return value

    after(sense())
    bare()

with DAG("sensor_soft_fail_on_error", schedule=None):
    def broken():
        raise ValueError("by design")

    PythonSensor(task_id="soft", python_callable=broken, soft_fail=True, poke_interval=0.1)
    PythonSensor(task_id="never", python_callable=broken, never_fail=True, poke_interval=0.1)
    PythonSensor(task_id="silent", python_callable=broken, silent_fail=True, poke_interval=0.1, timeout=1)

with DAG("sensor_mapped", schedule=None):
    PythonSensor.partial(task_id="sense", python_callable=lambda x: x == 1, poke_interval=0.1, timeout=1, soft_fail=True).expand(op_args=[[1], [2]])
