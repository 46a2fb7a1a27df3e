"""Tasks that use variables and connections in each way there is, and one that tells everybody."""

from __future__ import annotations

import base64
import json
import logging
import sys
from urllib.parse import quote

from airflow.exceptions import AirflowNotFoundException
from airflow.hooks.base import BaseHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Connection, Variable, task

with DAG("secretive") as secretive:

    @task
    def read() -> dict:
        connection = BaseHook.get_connection("db")
        try:
            Connection.get("absent")
        except AirflowNotFoundException as error:
            absent = str(error)
        return {
            "uri": connection.get_uri(), "extra": connection.extra_dejson, "host": connection.host, "port": connection.port, "absent": absent,
            "variable": Variable.get("plain"), "json": Variable.get("settings", deserialize_json=True), "default": Variable.get("none", default=None),
            "default_var": Variable.get("none", default_var="d"),
        }

    @task
    def change() -> list:
        Variable.set("made", {"a": 1}, serialize_json=True)
        made = Variable.get("made", deserialize_json=True)
        Variable.delete("made")
        return [made, Variable.get("made", "gone")]

    @task
    def missing() -> None:
        Variable.get("none")

    @task
    def tell() -> None:
        password = BaseHook.get_connection("db").password
        token = Variable.get("api_token")
        print(f"the password is {password}")
        sys.stdout.write(password[:5])
        sys.stdout.write(f"{password[5:]} and the token {token}\n")
        print(quote(password, safe=""), base64.b64encode(f"user:{password}".encode()).decode(), json.dumps({"p": password}), repr(password))
        logging.getLogger("mine").info("with %s", password)
        print(json.loads(BaseHook.get_connection("db").extra)["api_key"], file=sys.stderr)
        sys.stdout.write("x" * 65_530 + password + "y" * 70_000 + "\n")
        raise ValueError("x" * 4_090 + password)

    templated = BashOperator(
        task_id="templated",
        bash_command="echo {{ conn.db.host }}:{{ conn.db.port }} \"$PW\" {{ var.value.plain }} {{ var.json.settings.size }} {{ var.value.get('none', 'd') }} {{ conn.get('none') }} # {{ conn.db.password }}",
        env={"PW": "{{ conn.db.password }}", "MY_TOKEN": "by name"}, append_env=True,
    )

    read()
    change()
    missing()
    tell()
