"""HTTP tasks in the ways that people write them."""

from __future__ import annotations

from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG, task

with DAG("calling_http", params={"name": "x"}):
    HttpOperator(task_id="get", method="GET", endpoint="echo?a=1", data={"q": "{{ params.name }}"}, headers={"X-One": "{{ run_id }}"}, response_filter=lambda response: response.json())
    HttpOperator(task_id="post", endpoint="/echo", data={"a": "b c"}, response_filter=lambda response, ti: [response.json(), ti.task_id], log_response=True)
    HttpOperator(task_id="json", endpoint="echo", request_kwargs={"json": {"a": [1]}}, headers={"Authorization": "Bearer t0ken-1"}, response_filter=lambda response: response.json())
    HttpOperator(task_id="text", endpoint="text", method="GET", response_check=lambda response: response.ok)
    HttpOperator(task_id="checked", endpoint="text", method="GET", response_check=lambda response: False)
    HttpOperator(task_id="missing", endpoint="status/404", method="GET")
    HttpOperator(task_id="unchecked", endpoint="status/500", method="GET", extra_options={"check_response": False}, response_filter=lambda response: response.status_code)
    HttpOperator(task_id="not_followed", endpoint="redirect", method="GET", extra_options={"allow_redirects": False}, response_filter=lambda response: response.status_code)
    HttpOperator(task_id="followed", endpoint="redirect", method="GET")
    HttpOperator(task_id="slow", endpoint="slow", method="GET", extra_options={"timeout": 0.2})
    HttpOperator(
        task_id="pages", endpoint="page/1", method="GET",
        pagination_function=lambda response: {"endpoint": f"page/{int(response.text) + 1}"} if int(response.text) < 3 else None,
    )
    HttpSensor(task_id="wait", endpoint="later", poke_interval=0.01, timeout=10)
    HttpSensor(task_id="broken", endpoint="status/500", poke_interval=0.01, timeout=10)

    @task
    def hook() -> str:
        return HttpHook("GET", http_conn_id="with_scheme").run("text").text

    hook()
