"""Loads a DAG file by the project's own Task SDK, once per fork server, with all that a task would import to begin."""

from __future__ import annotations

import io
import os
import signal
from dataclasses import dataclass
from typing import Any

from leoflow.airflow_runtime import settings
from leoflow.airflow_runtime.parse_faults import error_of
from leoflow.run.moment import import_packages, is_of_the_moment


class ImportFailed(Exception):
    """The DAG file does not import. `told`: what it raised, as a ReportedError."""

    def __init__(self, told: dict[str, str]):
        super().__init__(told["message"])
        self.told = told


@dataclass(frozen=True)
class Project:
    """A DAG file of a ForkServerSpec, with its DAG where this process has imported it."""

    spec: dict
    #: None: each task imports the file itself, as under Airflow.
    dag: Any = None
    bundle: Any = None

    def imported(self) -> Project:
        """With its DAG, which this process imports if none before it has."""
        return _import(self.spec) if self.dag is None else self

    def live(self, address: str, spec: dict) -> None:
        """Run one execution to its end under the SDK's supervisor."""
        from leoflow.airflow_runtime.supervise import live

        live(self, address, spec)

    def make_call(self, address: str, call: dict) -> None:
        """Answer a question or make callbacks, and tell the server."""
        from leoflow.airflow_runtime.calls import make_call

        make_call(self, address, call)

    def host_triggers(self, address: str) -> None:
        """Run the triggers of this version's tasks until nothing waits any more."""
        from leoflow.airflow_runtime.trigger_host import host

        host(self, address)


def load(spec: dict) -> Project:
    """Import the SDK, then the file of a ForkServerSpec, unless each task has to. Raises what the file raises, as ImportFailed."""
    prepare(spec)
    is_for_each = is_of_the_moment(spec)
    if is_for_each:
        import_packages(spec)
    project = Project(spec) if is_for_each else _import(spec)
    _warm_up(spec)
    return project


def _import(spec: dict) -> Project:
    from leoflow.airflow_runtime.import_comms import import_comms

    with import_comms(spec.get("import_secrets")):
        bundle, bag = _open_bag(spec["dag_file"])
    let_crash()
    for error in bag.import_errors.values():
        raise ImportFailed(error_of(_without_secrets(error), [spec["root"], *spec.get("path", [])]))
    dag = bag.dags.get(spec["dag_id"])
    if dag is None:
        raise ImportFailed({"type": "DagNotFound", "message": f"{spec['dag_file']} holds no DAG {spec['dag_id']!r}"})
    return Project(spec, dag, bundle)


def _without_secrets(text: str) -> str:
    """Of what the file was handed while it was imported."""
    from airflow.sdk.log import redact

    return redact(text)


def let_crash() -> None:
    """Airflow takes SIGSEGV for itself while it imports a DAG file, and keeps it: native code that fails would then hang for ever."""
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)


def prepare(spec: dict) -> None:
    """Make this process ready for the SDK and for what the file imports."""
    settings.prepare_process(settings.home_below(os.path.dirname(spec["address_file"])))
    settings.prepare_project(spec["root"], list(spec.get("path", [])))
    import_sdk()
    _use_plugins_folder()
    _quiet_logging()


def import_sdk() -> None:
    """What every DAG file and every task imports of the SDK, whatever the project."""
    import setproctitle  # noqa: F401
    from airflow.dag_processing import dagbag  # noqa: F401
    from airflow.dag_processing.bundles import local, manager  # noqa: F401
    from airflow.sdk.execution_time import supervisor, xcom  # noqa: F401
    from airflow.sdk.listener import get_listener_manager  # noqa: F401

    import leoflow.airflow_runtime.supervise
    from leoflow.airflow_runtime import import_comms  # noqa: F401


def _use_plugins_folder() -> None:
    """Airflow keeps the folder that was configured when it was imported, which may have been before the project was known."""
    from airflow import settings as airflow_settings
    from airflow.configuration import conf

    airflow_settings.PLUGINS_FOLDER = conf.get("core", "plugins_folder")


def _open_bag(dag_file: str):
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag

    bundle = DagBundlesManager().get_bundle(name=settings.BUNDLE, version=None)
    bundle.initialize()
    path = os.path.join(bundle.path, *dag_file.split("/"))
    return bundle, BundleDagBag(dag_folder=path, safe_mode=False, load_op_links=False, bundle_path=bundle.path, bundle_name=settings.BUNDLE)


class _Warnings(io.RawIOBase):
    """Where the supervisor's own words go, as JSON: its daily chatter is dropped. The level of the logger itself is also that of tasks."""

    def __init__(self, file: int):
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, line) -> int:
        if b'"level":"info"' not in line and b'"level":"debug"' not in line:
            os.write(self._file, line)
        return len(line)


def _quiet_logging() -> None:
    """The supervisor's own words go where the fork server's output goes; the task's log is another file."""
    from airflow.sdk.log import configure_logging

    configure_logging(json_output=True, output=_Warnings(os.dup(2)))


def _warm_up(spec: dict) -> None:
    """What every task would do first, done once: listeners and backends are there when it forks."""
    from airflow.sdk.execution_time import supervisor
    from airflow.sdk.listener import get_listener_manager

    from leoflow.airflow_runtime.supervise import open_client

    get_listener_manager()
    supervisor.ensure_secrets_backend_loaded()
    # Reading the machine's certificates is half of what a client costs; the SDK keeps them.
    open_client("", spec["address_file"]).close()
