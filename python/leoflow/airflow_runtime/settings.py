"""What the Task SDK is told by its environment; written before anything of `airflow` is imported."""

import json
import os

#: The bundle that every DAG file of a version is in.
BUNDLE = "leoflow"


def prepare(root: str, home: str) -> None:
    """Set what the SDK reads when it is imported. What the operator of the server has set stays.

    root: folder of the version's sources
    home: a folder of ours for what Airflow would put into AIRFLOW_HOME
    """
    bundle = {"name": BUNDLE, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": root}}
    # Its address is asked for, and never used: requests go over the agent's socket.
    os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = "http://leoflow/execution/"
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle])
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = root
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = os.path.join(home, "logs")
    os.environ.setdefault("AIRFLOW_HOME", home)
    os.environ.setdefault("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "1")
    # Names of hosts are not asked of a name server for each task.
    os.environ.setdefault("AIRFLOW__CORE__HOSTNAME_CALLABLE", "socket.gethostname")
    os.environ.setdefault("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False")
    # An installed Airflow looks for plugins beside the sources, as it would in its home.
    os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", os.path.join(root, "plugins"))
