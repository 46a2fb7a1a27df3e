"""What the Task SDK is told by its environment: for a process before anything of `airflow` is imported, then for a project."""

import json
import os
import sys

#: The bundle that every DAG file of a version is in.
BUNDLE = "leoflow"


def home_below(run_folder: str) -> str:
    """A folder of ours for what Airflow would put into AIRFLOW_HOME; made when it is missing."""
    home = os.path.join(run_folder, "airflow")
    os.makedirs(home, exist_ok=True)
    return home


def prepare_process(home: str) -> None:
    """Set what is the same for every project. What the operator of the server has set stays."""
    # Its address is asked for, and never used: requests go over the agent's socket.
    os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = "http://leoflow/execution/"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = os.path.join(home, "logs")
    os.environ.setdefault("AIRFLOW_HOME", home)
    if not os.environ.get("AIRFLOW_CONFIG") and not os.path.exists(os.path.join(os.environ["AIRFLOW_HOME"], "airflow.cfg")):
        os.environ["AIRFLOW_CONFIG"] = _empty_config(home)
    os.environ.setdefault("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "1")
    # Names of hosts are not asked of a name server for each task.
    os.environ.setdefault("AIRFLOW__CORE__HOSTNAME_CALLABLE", "socket.gethostname")
    # The author's own line is among them, however deep below it a library has raised.
    os.environ.setdefault("AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH", "20")
    # The files of a version are all there: one that does not import now is not waited for.
    os.environ.setdefault("AIRFLOW__WORKERS__MISSING_DAG_RETRIES", "0")
    # So long is what a task has left behind heard, should it hold the task's output open; then it is ended. Airflow waits for a minute, and lets it live.
    os.environ.setdefault("AIRFLOW__WORKERS__SOCKET_CLEANUP_TIMEOUT", "5")
    os.environ.setdefault("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False")


def _empty_config(home: str) -> str:
    """Without a file Airflow would write one with all of its defaults."""
    path = os.path.join(home, "airflow.cfg")
    with open(path, "a", encoding="utf-8"):
        return path


def prepare_project(root: str, paths: list[str]) -> None:
    """Set what belongs to one project: its folder, its plugins, what it imports from. Airflow asks for these when it needs them.

    root: folder of the version's sources
    """
    bundle = {"name": BUNDLE, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": root}}
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle])
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = root
    plugins = plugins_folder(root, paths)
    if plugins is not None:
        os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", plugins)
    for folder in reversed([root, *paths]):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)


def plugins_folder(root: str, paths: list[str]) -> str | None:
    """The `plugins` folder of a project: below its root, or one that it imports from."""
    candidates = [os.path.join(root, "plugins"), *(path for path in paths if os.path.basename(os.path.normpath(path)) == "plugins")]
    return next((folder for folder in candidates if os.path.isdir(folder)), None)
