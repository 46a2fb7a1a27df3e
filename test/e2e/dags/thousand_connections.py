"""Tasks that read a thousand connections again and again until they are told to end."""

from __future__ import annotations

import os

from airflow.sdk import DAG, BaseHook, task

COUNT = 1_000


def planted(kind: str, number: int) -> str:
    """A secret, which the text of this file does not hold."""
    return "-".join(("canary", kind, str(number)))


with DAG("thousand_connections", params={"folder": ""}):

    @task
    def read(reader: int, params: dict | None = None) -> int:
        folder, reads, last = params["folder"], 0, False
        while not last:
            # A whole pass is begun after the word to end.
            last = os.path.exists(os.path.join(folder, "enough"))
            for number in range(COUNT):
                connection = BaseHook.get_connection(f"many_{number}")
                found = connection.password, connection.extra_dejson
                if found != (planted("many", number), {"token": planted("more", number), "n": number}):
                    raise ValueError(f"{connection.conn_id} holds {found}")
                reads += 1
                if reads % 20 == 0:
                    # As one write: the reader sees whole numbers only.
                    with open(os.path.join(folder, f".{reader}"), "w") as file:
                        file.write(str(reads))
                    os.replace(os.path.join(folder, f".{reader}"), os.path.join(folder, f"reads_{reader}"))
        print("the last password is", connection.password, connection.get_uri())
        return reads

    read.expand(reader=[0, 1])
