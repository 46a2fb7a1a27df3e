"""Tasks that try hard to tell a connection's password to everybody."""

from __future__ import annotations

import os
import sys
import time

from airflow.exceptions import AirflowException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseHook, Variable, task

with DAG("planted_secrets", params={"folder": ""}):

    @task
    def tell() -> None:
        connection = BaseHook.get_connection("planted")
        print("the password is", connection.password, connection.get_uri(), connection.extra)
        print(Variable.get("planted_api_key"), file=sys.stderr)
        # Past the streams, as a program would that the task starts.
        os.write(1, f"raw {connection.password}\n".encode())
        os.write(2, connection.password.encode())
        sys.stdout.buffer.write(connection.password.encode() + b"\n")

    @task
    def hold(folder: str) -> None:
        password = BaseHook.get_connection("planted").password
        open(os.path.join(folder, "holding"), "w").close()
        while not os.path.exists(os.path.join(folder, "looked")):
            time.sleep(0.02)
        print(password)

    @task
    def fail() -> None:
        raise AirflowException("x" * 4_000 + BaseHook.get_connection("planted").password * 10)

    @task
    def from_the_environment() -> str:
        connection = BaseHook.get_connection("given_outside")
        return f"{connection.host} {Variable.get('given_outside')}"

    BashOperator(task_id="shell", bash_command="echo \"$PW\" {{ conn.planted.password }}; >&2 echo {{ var.value.planted_api_key }}", env={"PW": "{{ conn.planted.password }}"}, append_env=True, do_xcom_push=False)
    tell()
    hold("{{ params.folder }}")
    fail()
    from_the_environment()
