"""The sensors that Leoflow runs itself: for a function, a file, a moment, a time of day, a delay, a day of the week."""

from __future__ import annotations

import datetime as dt
import glob
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from leoflow.dagmodel.calling import call, choose_kwargs
from leoflow.dagmodel.errors import UnsupportedFeature
from leoflow.dagmodel.moments import parse, utcnow
from leoflow.dagmodel.sensor import BaseSensorOperator, PokeReturnValue
from leoflow.dagmodel.weekday import WeekDay


def refuse_deferrable(operator: Any, deferrable: bool) -> None:
    """Raises `UnsupportedFeature` when a sensor asks to be deferred."""
    if deferrable:
        raise UnsupportedFeature(
            f"deferrable=True ({type(operator).__name__} {operator.task_id})",
            "Use mode='reschedule', deferring is not part of this version.",
        )


class PythonSensor(BaseSensorOperator):
    """Waits until a function answers true."""

    template_fields: Any = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self, *, python_callable: Callable[..., Any], op_args: list[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None, templates_dict: dict[str, Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.python_callable = python_callable
        self.op_args, self.op_kwargs, self.templates_dict = op_args or [], op_kwargs or {}, templates_dict

    def poke(self, context: Any) -> PokeReturnValue:
        if self.templates_dict is not None:
            context["templates_dict"] = self.templates_dict
        kwargs = choose_kwargs(self.python_callable, self.op_args, self.op_kwargs, context)
        answer = call(self.python_callable, self.op_args, kwargs)
        return answer if isinstance(answer, PokeReturnValue) else PokeReturnValue(bool(answer))


class FileSensor(BaseSensorOperator):
    """Waits for a file, for files that fit a glob pattern, or for a folder that is not empty."""

    template_fields: Any = ("filepath",)
    ui_color = "#91818a"

    def __init__(
        self, *, filepath: Any, fs_conn_id: str = "fs_default", recursive: bool = False, deferrable: bool = False,
        start_from_trigger: bool = False, trigger_kwargs: dict[str, Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_deferrable(self, deferrable)
        if fs_conn_id != "fs_default":
            raise UnsupportedFeature("FileSensor(fs_conn_id=…)", "Give the whole path in `filepath`.")
        self.filepath, self.fs_conn_id, self.recursive = filepath, fs_conn_id, recursive

    @property
    def path(self) -> str:
        """The path that is looked for."""
        return os.path.join("/", os.fspath(self.filepath))

    def poke(self, context: Any) -> bool:
        self.log.info("Poking for file %s", self.path)
        for path in glob.glob(self.path, recursive=self.recursive):
            if os.path.isfile(path):
                self.log.info("Found File %s", path)
                return True
            if any(files for _, _, files in os.walk(path)):
                return True
        return False


class DateTimeSensor(BaseSensorOperator):
    """Waits until a moment."""

    template_fields: Any = ("target_time",)

    def __init__(self, *, target_time: str | dt.datetime, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_time, (str, dt.datetime)):
            raise TypeError(f"Expected str or datetime.datetime type for target_time. Got {type(target_time)}")
        self.target_time = target_time.isoformat() if isinstance(target_time, dt.datetime) else target_time

    def poke(self, context: Any) -> bool:
        self.log.info("Checking if the time (%s) has come", self.target_time)
        target = self.target_time if isinstance(self.target_time, dt.datetime) else parse(self.target_time)
        return utcnow() > target


class TimeSensor(BaseSensorOperator):
    """Waits until a time of the day on which the task started."""

    def __init__(
        self, *, target_time: dt.time, deferrable: bool = False, start_from_trigger: bool = False,
        end_from_trigger: bool = False, trigger_kwargs: dict[str, Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_deferrable(self, deferrable)
        self.target_time = target_time

    def poke(self, context: Any) -> bool:
        zone = self.dag.timezone
        began = context["ti"].first_start or context["ti"].start_date or utcnow()
        target = dt.datetime.combine(began.astimezone(zone).date(), self.target_time, self.target_time.tzinfo or zone)
        self.log.info("Checking if the time (%s) has come", target)
        return utcnow() > target


class TimeDeltaSensor(BaseSensorOperator):
    """Waits for a while after the end of the run's data interval."""

    def __init__(self, *, delta: dt.timedelta, deferrable: bool = False, end_from_trigger: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        refuse_deferrable(self, deferrable)
        self.delta = delta

    def poke(self, context: Any) -> bool:
        target = (context.get("data_interval_end") or context["dag_run"].run_after) + self.delta
        self.log.info("Checking if the time (%s) has come", target)
        return utcnow() > target


class WaitSensor(BaseSensorOperator):
    """Waits for a while after the task started."""

    def __init__(self, *, time_to_wait: dt.timedelta | int, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        refuse_deferrable(self, deferrable)
        self.time_to_wait = dt.timedelta(minutes=time_to_wait) if isinstance(time_to_wait, int) else time_to_wait

    def execute(self, context: Any) -> None:
        time.sleep(int(self.time_to_wait.total_seconds()))


class DayOfWeekSensor(BaseSensorOperator):
    """Waits for a day of the week."""

    def __init__(self, *, week_day: Any, use_task_logical_date: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.week_day, self.use_task_logical_date = week_day, use_task_logical_date
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def poke(self, context: Any) -> bool:
        today = (context.get("logical_date") or context["dag_run"].run_after) if self.use_task_logical_date else utcnow()
        self.log.info("Poking until weekday is in %s, Today is %s", self.week_day, WeekDay(today.isoweekday()).name)
        return today.isoweekday() in self._week_day_num
