"""A child that becomes Node: the fork server stays its parent, so its pid, session, death signal and end are those of any child."""

import os

from leoflow.agent import wire
from leoflow.agent.processes import EXECUTION_MARKER
from leoflow.dagmodel.node_tasks import NodeFunction

#: A project without a package.json says nothing of its modules; that is no news in a task's log.
_OPTIONS = ("--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",)


def runs_in_node(fork_server: dict, dag, spec: dict) -> bool:
    """True when the body of the execution's task is a function for Node."""
    if fork_server.get("node") is None:
        return False
    task = dag.task_dict.get(spec["task_id"])
    given = getattr(task, "partial_kwargs", None) or {}
    return isinstance(getattr(task, "python_callable", None) or given.get("python_callable"), NodeFunction)


def exec_parked(fork_server: dict, agent_socket: str, begun: int) -> None:
    """Replace this process by a Node that imports the version's modules and waits for work. `begun` is where it says that it began."""
    os.set_inheritable(begun, True)
    _exec(fork_server, {"agent_socket": agent_socket, "begun_fd": begun}, dict(os.environ))


def exec_with_job(fork_server: dict, agent_socket: str, spec: dict) -> None:
    """Replace this process by a Node that runs one execution."""
    environment = {**os.environ, **(spec.get("env") or {}), EXECUTION_MARKER: spec["execution_id"]}
    _exec(fork_server, {"agent_socket": agent_socket, "spec": spec}, environment)


def compile_cache(fork_server: dict) -> str:
    """Folder of the home folder where Node keeps what it compiled."""
    return os.path.join(os.path.dirname(os.path.dirname(fork_server["address_file"])), "cache", "node")


def _exec(fork_server: dict, job: dict, environment: dict) -> None:
    file = os.memfd_create("leoflow-job")
    # What the DAG file reads while Python imports it is nobody else's business.
    home = {key: value for key, value in fork_server.items() if key != "import_secrets"}
    data = memoryview(wire.encode_line({"fork_server": home, "compile_cache": compile_cache(fork_server), **job}))
    while data:
        data = data[os.write(file, data):]
    os.lseek(file, 0, os.SEEK_SET)
    os.set_inheritable(file, True)
    node = fork_server["node"]
    # Stripped types and bytecode by content: without them a start takes three times as long. Not for the programs of a task, see run-task.
    environment.setdefault("NODE_COMPILE_CACHE", compile_cache(fork_server))
    os.execve(node["interpreter"], [node["interpreter"], *_OPTIONS, node["runner"], str(file)], environment)
