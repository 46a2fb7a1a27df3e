"""Exceptions of a DAG author's world, under Airflow's names and with Airflow's class relations."""

from __future__ import annotations

from typing import Any

#: What to do about whatever the shim does not cover.
WAY_OUT = "Do it in a @task that calls the library itself, or run the file by the real Task SDK: `runtime: airflow` in leoflow.yaml, with the provider's package in dependencies.python."


class AirflowException(Exception):
    """Base of everything Airflow raises on purpose."""


class UnsupportedFeature(AirflowException):
    """A part of Airflow that the structural shim refuses; says what, and the way out."""

    def __init__(self, feature: str, hint: str = WAY_OUT) -> None:
        super().__init__(f"{feature} is not supported by runtime leoflow. {hint}")
        self.feature = feature
        self.hint = hint


class UnsupportedImport(ImportError):
    """An `airflow` name that the shim does not cover, with the place of the user's import."""

    def __init__(self, name: str, file: str, line: int, hint: str = WAY_OUT) -> None:
        super().__init__(f"{name} is not covered by runtime leoflow (imported at {file}:{line}). {hint}", name=name)
        self.import_name = name
        self.file = file
        self.line = line
        self.hint = hint


class AirflowBadRequest(AirflowException):
    """The request is wrong."""


class AirflowNotFoundException(AirflowException):
    """The object does not exist."""


class AirflowConfigException(AirflowException):
    """The configuration is wrong."""


class AirflowRuntimeError(Exception):
    """The server's answer to a running task was no. `error` has its kind and what it says."""

    def __init__(self, error: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(f"{error}: {detail}")
        self.error, self.detail = error, detail


class AirflowSensorTimeout(AirflowException):
    """A sensor waited longer than its timeout."""


class AirflowRescheduleException(AirflowException):
    """The task asks to be run again at `reschedule_date`."""

    def __init__(self, reschedule_date: Any) -> None:
        super().__init__(f"reschedule at {reschedule_date}")
        self.reschedule_date = reschedule_date


class AirflowTaskTimeout(BaseException):
    """The task ran longer than its execution_timeout."""


class AirflowTaskTerminated(BaseException):
    """The task was told to end from outside."""


class AirflowSkipException(AirflowException):
    """The task is to be marked as skipped."""


class AirflowFailException(AirflowException):
    """The task is to fail without a retry."""


class AirflowOptionalProviderFeatureException(AirflowException):
    """A feature of an optional provider is missing."""


class AirflowTimetableInvalid(AirflowException):
    """A schedule cannot be understood."""


class AirflowDagCycleException(AirflowException):
    """Tasks of a DAG wait for each other."""


class AirflowDagDuplicatedIdException(AirflowException):
    """Two DAGs have one id."""


class AirflowClusterPolicyViolation(AirflowException):
    """A policy of the installation forbids the DAG."""


class DuplicateTaskIdFound(AirflowException):
    """Two tasks or groups of a DAG have one id."""


class TaskAlreadyInTaskGroup(AirflowException):
    """A task was added to a second group."""


class TaskNotFound(AirflowNotFoundException):
    """The DAG has no such task."""


class DagNotFound(AirflowNotFoundException):
    """There is no such DAG."""


class DagRunNotFound(AirflowNotFoundException):
    """There is no such run."""


class ParamValidationError(AirflowException):
    """A parameter's value does not fit its schema."""


class XComNotFound(AirflowException):
    """A task asked for a value that was never pushed."""

    def __init__(self, dag_id: str, task_id: str, key: str) -> None:
        super().__init__(f'XComArg result from {task_id} at {dag_id} with key="{key}" is not found!')
        self.dag_id, self.task_id, self.key = dag_id, task_id, key


class UnmappableXComTypePushed(TypeError):
    """A task that others map over returned something that has no length."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"unmappable return type {type(value).__qualname__!r}")
        self.value = value


class XComForMappingNotPushed(TypeError):
    """A task that others map over returned nothing."""

    def __init__(self) -> None:
        super().__init__("did not push XCom for task mapping")


class UnmappableXComLengthPushed(ValueError):
    """A task that others map over returned too many elements."""

    def __init__(self, value: Any, max_length: int) -> None:
        super().__init__(f"unmappable return value length: {len(value)} > {max_length}")


class DownstreamTasksSkipped(AirflowException):
    """Ends a task that decided which of its downstream tasks are skipped; the task itself succeeds."""

    def __init__(self, *, tasks: Any) -> None:
        super().__init__("downstream tasks are skipped")
        self.tasks = list(tasks)


class XComUnserializable(AirflowException):
    """A returned or pushed value cannot be written as JSON."""


class XComTooLarge(AirflowException):
    """A returned or pushed value is larger than the limit of the installation."""


class NoCurrentContext(RuntimeError):
    """`get_current_context` was called outside of a running task."""


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """A provider announces a removal."""


class RemovedInAirflow4Warning(DeprecationWarning):
    """Airflow announces a removal."""
