"""Files over FTP and SFTP, and by common.io on this machine: operators, hooks, sensors, deferrable ones among them."""

import os

from airflow.providers.common.io.operators.file_transfer import FileTransferOperator
from airflow.providers.ftp.hooks.ftp import FTPHook
from airflow.providers.ftp.operators.ftp import FTPFileTransmitOperator
from airflow.providers.ftp.sensors.ftp import FTPSensor
from airflow.providers.sftp.hooks.sftp import SFTPHook
from airflow.providers.sftp.operators.sftp import SFTPOperator
from airflow.providers.sftp.sensors.sftp import SFTPSensor
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, ObjectStoragePath, task

from waiting import is_deferred

FOLDER = os.environ["PROVIDERS_FOLDER"]


@task
def write(name: str):
    """A file to send."""
    path = ObjectStoragePath(f"file://{FOLDER}/{name}")
    path.write_text(f"sent as {name}")
    return path.path


with DAG("ftp", schedule=None):
    put = FTPFileTransmitOperator(
        task_id="put", ftp_conn_id="dropbox", operation="put", local_filepath=FOLDER + "/by_ftp.txt", remote_filepath="/in_{{ dag.dag_id }}/by_ftp.txt",
        create_intermediate_dirs=True)
    wait = FTPSensor(task_id="wait", ftp_conn_id="dropbox", path="{{ ti.xcom_pull(task_ids='name') }}", poke_interval=0.2, timeout=60)

    @task
    def name():
        """Where the file is now, by the hook."""
        with FTPHook("dropbox") as hook:
            [file] = hook.list_directory("/in_ftp")
            return f"/in_ftp/{os.path.basename(file)}"

    write("by_ftp.txt") >> put >> name() >> wait

with DAG("sftp", schedule=None):
    later = SFTPSensor(task_id="later", sftp_conn_id="vault", path="/out/by_sftp.txt", deferrable=True, poke_interval=0.5, timeout=60)
    send = SFTPOperator(
        task_id="send", ssh_conn_id="vault", operation="put", local_filepath=FOLDER + "/by_sftp.txt", remote_filepath="/out/by_sftp.txt", create_intermediate_dirs=True)
    fetch = SFTPOperator(task_id="fetch", ssh_conn_id="vault", operation="get", local_filepath=FOLDER + "/fetched.txt", remote_filepath="/out/by_sftp.txt", deferrable=True)

    @task
    def listing():
        """By the hook."""
        return SFTPHook("vault").list_directory("/out")

    [write("by_sftp.txt"), is_deferred("later")] >> send
    later >> [fetch, listing()]

with DAG("local_files", schedule=None):
    arrives = FileSensor(task_id="arrives", fs_conn_id="disk", filepath="arrived.txt", deferrable=True, poke_interval=0.5, timeout=60)
    drop = BashOperator(task_id="drop", bash_command='printf "%s" "$WHAT" > "$WHERE/arrived.txt" && cat "$WHERE/arrived.txt"', env={"WHAT": "for {{ run_id }}", "WHERE": FOLDER})
    copy = FileTransferOperator(task_id="copy", src=f"file://{FOLDER}/arrived.txt", dst=f"file://{FOLDER}/copied.txt", overwrite=True)

    @task
    def size(source: ObjectStoragePath):
        """A path travels through an XCom."""
        return source.stat().st_size

    @task
    def locate():
        """A path as a value."""
        return ObjectStoragePath(f"file://{FOLDER}/copied.txt")

    is_deferred("arrives") >> drop
    arrives >> copy >> size(locate())
