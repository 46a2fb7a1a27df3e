"""HTTP and mail: operators, hooks and sensors, deferrable ones among them."""

import json

from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import DAG, task

with DAG("http", schedule=None, default_args={"http_conn_id": "shop"}):
    ready = HttpSensor(task_id="ready", endpoint="ready/classic", poke_interval=0.2, timeout=60, mode="reschedule")
    ready_deferred = HttpSensor(task_id="ready_deferred", endpoint="ready/deferred", poke_interval=0.2, timeout=60, deferrable=True)
    greet = HttpOperator(task_id="greet", method="GET", endpoint="greeting/{{ dag.dag_id }}", response_filter=lambda response: response.json()["greeting"], log_response=True)
    order = HttpOperator(
        task_id="order", method="POST", endpoint="orders", headers={"Content-Type": "application/json"}, data=json.dumps({"item": "{{ ti.xcom_pull(task_ids='greet') }} lamp"}),
        response_check=lambda response: response.status_code == 201)
    order_deferred = HttpOperator(
        task_id="order_deferred", method="POST", endpoint="orders", headers={"Content-Type": "application/json"}, data=json.dumps({"item": "deferred {{ run_id }}"}), deferrable=True)

    @task
    def by_hook():
        """A hook in a task of one's own."""
        return HttpHook(method="GET", http_conn_id="shop").run("greeting/hook").json()["path"]

    [ready, ready_deferred] >> greet >> order >> by_hook()
    ready_deferred >> order_deferred

with DAG("smtp", schedule=None):
    email = EmailOperator(task_id="email", conn_id="post", to=["one@example.com"], cc="two@example.com", subject="{{ dag.dag_id }} ran", html_content="<b>{{ run_id }}</b>")

    @task(on_success_callback=SmtpNotifier(smtp_conn_id="post", to="boss@example.com", subject="{{ ti.task_id }} is done", html_content="well: {{ ti.state }}"))
    def notified():
        """Its notifier sends the mail."""

    @task
    def by_hook():
        """A hook in a task of one's own."""
        with SmtpHook("post") as hook:
            hook.send_email_smtp(to="hook@example.com", subject="by a hook", html_content="text of a hook")

    email >> notified() >> by_hook()
