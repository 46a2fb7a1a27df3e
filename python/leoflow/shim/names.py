"""THE table of the `airflow` import names that the shim covers, and where each one really lives."""

from __future__ import annotations

_M = "leoflow.dagmodel."

# Names by the module of ours that holds them.
_HOMES: dict[str, tuple[str, ...]] = {
    "assets": ("Asset", "AssetAlias", "AssetAll", "AssetAny", "AssetRef", "Dataset", "Model"),
    "bash_operators": ("BashOperator", "BashSensor"),
    "chaining": ("chain", "chain_linear", "cross_downstream"),
    "conditions": ("run_if", "skip_if"),
    "connections": ("BaseHook", "Connection", "Variable", "conf"),
    "context_type": ("Context",),
    "dag": ("DAG", "dag"),
    "dependency": ("EdgeModifier", "Label"),
    "literal": ("literal",),
    "mapped": ("MappedOperator",),
    "notifier": ("BaseNotifier",),
    "notset": ("ArgNotSet", "NOTSET"),
    "operator": ("BaseOperator",),
    "params": ("DagParam", "Param", "ParamsDict"),
    "python_operators": ("BranchPythonOperator", "PythonOperator", "ShortCircuitOperator"),
    "sensor": ("BaseSensorOperator", "PokeReturnValue", "poke_mode_only"),
    "sensors": ("DateTimeSensor", "DayOfWeekSensor", "FileSensor", "PythonSensor", "TimeDeltaSensor", "TimeSensor", "WaitSensor"),
    "setup_teardown": ("ContextWrapper",),
    "skipping": ("BaseBranchOperator", "BranchMixIn", "SkipMixin"),
    "small_operators": ("BranchDateTimeOperator", "BranchDayOfWeekOperator", "EmptyOperator", "LatestOnlyOperator"),
    "stack": ("get_current_context", "get_parsing_context"),
    "states": ("DagRunState", "DagRunType", "State", "TaskInstanceState", "TriggerRule", "WeightRule"),
    "subprocess_hook": ("SubprocessHook", "SubprocessResult"),
    "task_decorator": ("setup", "task", "teardown"),
    "task_group": ("MappedTaskGroup", "TaskGroup"),
    "task_group_decorator": ("task_group",),
    "task_types": ("BaseOperatorLink", "DagRun", "LoggingMixin", "RuntimeTaskInstance", "TaskInstance"),
    "timetables": (
        "AssetOrTimeSchedule", "AssetTriggeredTimetable", "ContinuousTimetable", "CronDataIntervalTimetable",
        "CronTriggerTimetable", "DeltaDataIntervalTimetable", "DeltaTriggerTimetable", "EventsTimetable",
        "MultipleCronTriggerTimetable", "NullTimetable", "OnceTimetable",
    ),
    "weekday": ("WeekDay",),
    "xcom_arg": ("PlainXComArg", "XComArg"),
    "errors": (
        "AirflowBadRequest", "AirflowClusterPolicyViolation", "AirflowConfigException", "AirflowDagCycleException",
        "AirflowDagDuplicatedIdException", "AirflowException", "AirflowFailException", "AirflowNotFoundException",
        "AirflowOptionalProviderFeatureException", "AirflowProviderDeprecationWarning", "AirflowRescheduleException",
        "AirflowSensorTimeout", "AirflowSkipException", "AirflowTaskTerminated", "AirflowTaskTimeout",
        "AirflowTimetableInvalid", "DagNotFound", "DagRunNotFound", "DownstreamTasksSkipped", "DuplicateTaskIdFound",
        "ParamValidationError", "RemovedInAirflow4Warning", "TaskAlreadyInTaskGroup", "TaskNotFound",
        "UnmappableXComTypePushed", "XComForMappingNotPushed", "XComNotFound",
    ),
    "moments": (
        "coerce_datetime", "convert_to_utc", "datetime", "is_localized", "is_naive", "make_aware", "make_naive", "parse",
        "parse_timezone", "utc", "utcnow",
    ),
}

HOME = {name: _M + home for home, names in _HOMES.items() for name in names}
_ALIASES = {
    "XCOM_RETURN_KEY": (_M + "xcom_arg", "RETURN_KEY"),
    "context_wrapper": (_M + "setup_teardown", "ContextWrapper"),
    "DatasetAlias": (_M + "assets", "AssetAlias"),
    "DatasetAll": (_M + "assets", "AssetAll"),
    "DatasetAny": (_M + "assets", "AssetAny"),
    "DatasetOrTimeSchedule": (_M + "timetables", "AssetOrTimeSchedule"),
    "days_ago": (_M + "moments", "days_ago"),
    "macros": ("leoflow.run.", "macros"),
    "timezone": (_M, "moments"),
}

_ERRORS = _HOMES["errors"]
_TIMETABLES = _HOMES["timetables"]
_CHAINS = _HOMES["chaining"]
_MOMENTS = _HOMES["moments"]
_DECORATORS = ("dag", "task", "task_group", "setup", "teardown")
_SDK = (
    "Asset", "AssetAlias", "AssetAll", "AssetAny", "AssetOrTimeSchedule", "BaseBranchOperator", "BaseHook", "BaseNotifier",
    "BaseOperator", "BaseOperatorLink", "BaseSensorOperator", "BranchMixIn", "Connection", "Context",
    "CronDataIntervalTimetable", "CronTriggerTimetable", "DAG", "DagRunState", "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable", "EdgeModifier", "EventsTimetable", "Label", "MultipleCronTriggerTimetable", "Param", "ParamsDict",
    "PokeReturnValue", "SkipMixin", "TaskGroup", "TaskInstance", "TaskInstanceState", "TriggerRule", "Variable", "WeightRule",
    "XComArg", "chain", "chain_linear", "conf", "cross_downstream", "dag", "get_current_context", "get_parsing_context",
    "literal", "macros", "setup", "task", "task_group", "teardown", "timezone",
)
_PYTHON = ("PythonOperator", "BranchPythonOperator", "ShortCircuitOperator", "get_current_context")
_STANDARD = "airflow.providers.standard."

# Module → names. A module that is only on the way to another needs no line.
MODULES: dict[str, tuple[str, ...]] = {
    "airflow": ("DAG", "Asset", "Dataset", "XComArg"),
    "airflow.sdk": _SDK,
    "airflow.sdk.bases.operator": ("BaseOperator", *_CHAINS),
    "airflow.sdk.bases.sensor": ("BaseSensorOperator", "PokeReturnValue", "poke_mode_only"),
    "airflow.sdk.bases.branch": ("BaseBranchOperator", "BranchMixIn"),
    "airflow.sdk.bases.skipmixin": ("SkipMixin",),
    "airflow.sdk.bases.hook": ("BaseHook",),
    "airflow.sdk.bases.notifier": ("BaseNotifier",),
    "airflow.sdk.bases.operatorlink": ("BaseOperatorLink",),
    "airflow.sdk.definitions.asset": ("Asset", "AssetAlias", "AssetAll", "AssetAny", "Dataset", "Model"),
    "airflow.sdk.definitions.connection": ("Connection",),
    "airflow.sdk.definitions.context": ("Context", "get_current_context", "get_parsing_context"),
    "airflow.sdk.definitions.dag": ("DAG", "dag"),
    "airflow.sdk.definitions.decorators": _DECORATORS,
    "airflow.sdk.definitions.edges": ("EdgeModifier", "Label"),
    "airflow.sdk.definitions.mappedoperator": ("MappedOperator",),
    "airflow.sdk.definitions.param": ("DagParam", "Param", "ParamsDict"),
    "airflow.sdk.definitions.taskgroup": ("MappedTaskGroup", "TaskGroup"),
    "airflow.sdk.definitions.template": ("literal",),
    "airflow.sdk.definitions.variable": ("Variable",),
    "airflow.sdk.definitions.xcom_arg": ("PlainXComArg", "XComArg"),
    "airflow.sdk.definitions.timetables.assets": ("AssetOrTimeSchedule", "AssetTriggeredTimetable"),
    "airflow.sdk.definitions.timetables.events": ("EventsTimetable",),
    "airflow.sdk.definitions.timetables.interval": ("CronDataIntervalTimetable", "DeltaDataIntervalTimetable"),
    "airflow.sdk.definitions.timetables.trigger": ("CronTriggerTimetable", "DeltaTriggerTimetable", "MultipleCronTriggerTimetable"),
    "airflow.sdk.exceptions": _ERRORS,
    "airflow.sdk.execution_time.task_runner": ("RuntimeTaskInstance",),
    "airflow.sdk.timezone": _MOMENTS,
    "airflow.sdk.types": ("RuntimeTaskInstance", "TaskInstance", "NOTSET", "ArgNotSet"),
    "airflow.configuration": ("conf",),
    "airflow.assets": ("Asset", "AssetAlias", "AssetAll", "AssetAny"),
    "airflow.datasets": ("Dataset", "DatasetAlias", "DatasetAll", "DatasetAny"),
    "airflow.decorators": _DECORATORS,
    "airflow.exceptions": _ERRORS,
    "airflow.hooks.base": ("BaseHook",),
    "airflow.hooks.subprocess": ("SubprocessHook", "SubprocessResult"),
    "airflow.macros": ("ds_add", "ds_format", "datetime_diff_for_humans"),
    "airflow.models": ("BaseOperator", "Connection", "DAG", "DagRun", "Param", "TaskInstance", "Variable", "XComArg"),
    "airflow.models.baseoperator": ("BaseOperator", *_CHAINS),
    "airflow.models.connection": ("Connection",),
    "airflow.models.dag": ("DAG", "dag"),
    "airflow.models.dagrun": ("DagRun",),
    "airflow.models.mappedoperator": ("MappedOperator",),
    "airflow.models.param": ("DagParam", "Param", "ParamsDict"),
    "airflow.models.taskinstance": ("TaskInstance",),
    "airflow.models.variable": ("Variable",),
    "airflow.models.xcom": ("XCOM_RETURN_KEY",),
    "airflow.models.xcom_arg": ("PlainXComArg", "XComArg"),
    "airflow.notifications.basenotifier": ("BaseNotifier",),
    "airflow.operators.bash": ("BashOperator",),
    "airflow.operators.branch": ("BaseBranchOperator", "BranchMixIn"),
    "airflow.operators.datetime": ("BranchDateTimeOperator",),
    "airflow.operators.empty": ("EmptyOperator",),
    "airflow.operators.latest_only": ("LatestOnlyOperator",),
    "airflow.operators.python": _PYTHON,
    "airflow.operators.weekday": ("BranchDayOfWeekOperator",),
    "airflow.sensors.base": ("BaseSensorOperator", "PokeReturnValue", "poke_mode_only"),
    "airflow.sensors.bash": ("BashSensor",),
    "airflow.sensors.date_time": ("DateTimeSensor",),
    "airflow.sensors.filesystem": ("FileSensor",),
    "airflow.sensors.python": ("PythonSensor",),
    "airflow.sensors.time_delta": ("TimeDeltaSensor", "WaitSensor"),
    "airflow.sensors.time_sensor": ("TimeSensor",),
    "airflow.sensors.weekday": ("DayOfWeekSensor",),
    "airflow.providers.common.compat.sdk": (*_SDK, *_ERRORS),
    _STANDARD + "hooks.subprocess": ("SubprocessHook", "SubprocessResult"),
    _STANDARD + "operators.bash": ("BashOperator",),
    _STANDARD + "operators.branch": ("BaseBranchOperator", "BranchMixIn"),
    _STANDARD + "operators.datetime": ("BranchDateTimeOperator",),
    _STANDARD + "operators.empty": ("EmptyOperator",),
    _STANDARD + "operators.latest_only": ("LatestOnlyOperator",),
    _STANDARD + "operators.python": _PYTHON,
    _STANDARD + "operators.weekday": ("BranchDayOfWeekOperator",),
    _STANDARD + "sensors.bash": ("BashSensor",),
    _STANDARD + "sensors.date_time": ("DateTimeSensor",),
    _STANDARD + "sensors.filesystem": ("FileSensor",),
    _STANDARD + "sensors.python": ("PythonSensor",),
    _STANDARD + "sensors.time": ("TimeSensor",),
    _STANDARD + "sensors.time_delta": ("TimeDeltaSensor", "WaitSensor"),
    _STANDARD + "sensors.weekday": ("DayOfWeekSensor",),
    _STANDARD + "utils.skipmixin": ("SkipMixin",),
    _STANDARD + "utils.weekday": ("WeekDay",),
    "airflow.timetables.assets": ("AssetOrTimeSchedule",),
    "airflow.timetables.datasets": ("DatasetOrTimeSchedule",),
    "airflow.timetables.events": ("EventsTimetable",),
    "airflow.timetables.interval": ("CronDataIntervalTimetable", "DeltaDataIntervalTimetable"),
    "airflow.timetables.simple": ("AssetTriggeredTimetable", "ContinuousTimetable", "NullTimetable", "OnceTimetable"),
    "airflow.timetables.trigger": ("CronTriggerTimetable", "DeltaTriggerTimetable", "MultipleCronTriggerTimetable"),
    "airflow.utils.context": ("Context",),
    "airflow.utils.dates": ("days_ago",),
    "airflow.utils.edgemodifier": ("EdgeModifier", "Label"),
    "airflow.utils.helpers": _CHAINS,
    "airflow.utils.log.logging_mixin": ("LoggingMixin",),
    "airflow.utils.setup_teardown": ("ContextWrapper", "context_wrapper"),
    "airflow.utils.state": ("DagRunState", "State", "TaskInstanceState"),
    "airflow.utils.task_group": ("MappedTaskGroup", "TaskGroup"),
    "airflow.utils.timezone": _MOMENTS,
    "airflow.utils.trigger_rule": ("TriggerRule",),
    "airflow.utils.types": ("DagRunType", "NOTSET", "ArgNotSet"),
    "airflow.utils.weekday": ("WeekDay",),
    "airflow.utils.weight_rule": ("WeightRule",),
    "airflow.utils.xcom": ("XCOM_RETURN_KEY",),
}

# Why a name is refused, when more can be said than that it is not covered.
HINTS = {
    "PythonVirtualenvOperator": "Put the requirements into the project's environment, or",
    "BranchPythonVirtualenvOperator": "Put the requirements into the project's environment, or",
    "ExternalPythonOperator": "Put the requirements into the project's environment, or",
    "BranchExternalPythonOperator": "Put the requirements into the project's environment, or",
    "TriggerDagRunOperator": "Start the other DAG with a request to the REST API, or",
    "ExternalTaskSensor": "Schedule on an asset that the other DAG writes, or",
    "ExternalTaskMarker": "Schedule on an asset that the other DAG writes, or",
    "KubernetesPodOperator": "Run the task in the image of its DAG, or",
    "cncf": "Run the task in the image of its DAG, or",
    "external_task": "Schedule on an asset that the other DAG writes, or",
    "trigger_dagrun": "Start the other DAG with a request to the REST API, or",
    "hitl": "Split the DAG where a person decides and trigger the second part by hand, or",
    "triggers": "Use mode='reschedule' of a sensor, or",
    "Metadata": "Extra of asset events is not carried. Leave it out, or",
    "CronPartitionTimetable": "Partitioned schedules are not carried. Use CronTriggerTimetable, or",
}


def target(name: str) -> tuple[str, str]:
    """Module and attribute behind an import name. An attribute of "" means the module itself."""
    if name in _ALIASES:
        module, attribute = _ALIASES[name]
        return (module + attribute, "") if module.endswith(".") else (module, attribute)
    if name in ("ds_add", "ds_format", "datetime_diff_for_humans"):
        return "leoflow.run.macros", name
    return HOME[name], name
