"""Sensors: tasks that look again and again until something is there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from leoflow.dagmodel.errors import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from leoflow.dagmodel.moments import utcnow
from leoflow.dagmodel.operator import BaseOperator


class PokeReturnValue:
    """What `poke` may answer: whether it is there, and a value for the XCom."""

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.is_done, self.xcom_value = is_done, xcom_value

    def __bool__(self) -> bool:
        return self.is_done


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)) and value >= 0:
        return value
    raise ValueError(f"Operator arg `{name}` must be timedelta object or a non-negative number")


class BaseSensorOperator(BaseOperator):
    """Base of sensors; a subclass overrides `poke(context)`.

    In `poke` mode the task sleeps between looks; in `reschedule` mode it ends and is started again.
    """

    ui_color = "#e6f1f2"
    valid_modes: Any = ("poke", "reschedule")
    _is_sensor = True

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float = 604_800,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poke_interval = _seconds("poke_interval", poke_interval)
        self.timeout = _seconds("timeout", timeout)
        self.max_wait = None if max_wait is None else _seconds("max_wait", max_wait)
        if soft_fail and never_fail:
            raise ValueError("soft_fail and never_fail are mutually exclusive, you can not provide both.")
        if mode not in self.valid_modes:
            raise ValueError(f"The mode must be one of {list(self.valid_modes)}, '{self.task_id}' has '{mode}'.")
        self.soft_fail, self.never_fail, self.silent_fail = soft_fail, never_fail, silent_fail
        self.mode, self.exponential_backoff = mode, exponential_backoff

    @property
    def reschedule(self) -> bool:
        """True in reschedule mode."""
        return self.mode == "reschedule"

    def poke(self, context: Any) -> bool | PokeReturnValue:
        """Look once."""
        raise AirflowException("Override me.")

    def execute(self, context: Any) -> Any:
        started_at, elapsed = self._clock(context)
        poke_count = 1
        while True:
            answer = self._poke_guarded(context)
            if answer:
                self.log.info("Success criteria met. Exiting.")
                return answer.xcom_value if isinstance(answer, PokeReturnValue) else None
            if elapsed() > self.timeout:
                message = (
                    f"Sensor has timed out; run duration of {elapsed()} seconds exceeds "
                    f"the specified timeout of {self.timeout}."
                )
                raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
            interval = self._next_interval(started_at, elapsed, poke_count)
            if self.reschedule:
                raise AirflowRescheduleException(utcnow() + timedelta(seconds=interval))
            time.sleep(interval)
            poke_count += 1

    def _clock(self, context: Any) -> tuple[Any, Callable[[], float]]:
        """When waiting began, and a function of the seconds since; over all starts of the try in reschedule mode."""
        if self.reschedule:
            first = context["ti"].first_start or utcnow()
            return first, lambda: (utcnow() - first).total_seconds()
        began = time.monotonic()
        return began, lambda: time.monotonic() - began

    def _poke_guarded(self, context: Any) -> Any:
        try:
            return self.poke(context)
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.exception("Sensor poke failed")
                return False
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _next_interval(self, started_at: Any, elapsed: Callable[[], float], poke_count: int) -> float:
        if not self.exponential_backoff:
            return self.poke_interval
        if self.reschedule:
            poke_count = self._pokes_so_far(started_at, elapsed())
        interval = min(self.timeout - int(elapsed()), self._backoff(started_at, poke_count))
        if self.max_wait:
            interval = min(self.max_wait, interval)
        interval = max(interval, 0)
        self.log.info("new %s interval is %s", self.mode, interval)
        return interval

    def _pokes_so_far(self, started_at: Any, seconds: float) -> int:
        """How often a rescheduled sensor looked, worked out from the time since its first start."""
        total, count = 0.0, 0
        while total <= seconds:
            count += 1
            total += self._backoff(started_at, count)
        return count

    def _backoff(self, started_at: Any, poke_count: int) -> float:
        # Airflow's formula: doubling, plus a jitter that is the same for the same task and count.
        least = max(int(self.poke_interval * 2 ** (poke_count - 2)), 1)
        text = f"{self.dag_id}#{self.task_id}#{started_at}#{poke_count}"
        digest = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16)
        return min(least + digest % least, timedelta.max.total_seconds() - 1)


def poke_mode_only(cls: type) -> type:
    """Class decorator for sensors that cannot be rescheduled."""

    def get_mode(_: Any) -> str:
        return "poke"

    def set_mode(_: Any, value: str) -> None:
        if value != "poke":
            raise ValueError(f"Cannot set mode to '{value}'. Only 'poke' is acceptable")

    cls.mode = property(get_mode, set_mode)
    return cls
