"""Operators that only steer: EmptyOperator, LatestOnlyOperator, BranchDateTimeOperator, BranchDayOfWeekOperator."""

from __future__ import annotations

import datetime as dt
from typing import Any

from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.moments import is_naive, utcnow
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.skipping import BaseBranchOperator
from leoflow.dagmodel.weekday import WeekDay


class EmptyOperator(BaseOperator):
    """Does nothing; joins and forks edges."""

    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def execute(self, context: Any) -> None:
        """Nothing."""


class LatestOnlyOperator(BaseBranchOperator):
    """Skips what comes after unless the run is the latest of its schedule, or was triggered by hand."""

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Any) -> Any:
        everything = sorted(self.downstream_task_ids)
        run = context["dag_run"]
        if run.run_type == "manual":
            self.log.info("Manually triggered DAG_Run: allowing execution to proceed.")
            return everything
        start, end = run.data_interval_start or run.logical_date or run.run_after, run.next_interval_end
        if end is None:
            self.log.info("Last scheduled execution: allowing execution to proceed.")
            return everything
        if start < utcnow() <= end:
            self.log.info("Latest, allowing execution to proceed.")
            return everything
        self.log.info("Not latest execution, skipping downstream.")
        return []


def _compared_moment(operator: Any, context: Any) -> Any:
    return (context.get("logical_date") or context["dag_run"].run_after) if operator.use_task_logical_date else None


class BranchDateTimeOperator(BaseBranchOperator):
    """Follows one branch between two moments or times of day, the other outside."""

    def __init__(
        self, *, follow_task_ids_if_true: Any, follow_task_ids_if_false: Any,
        target_lower: dt.datetime | dt.time | None, target_upper: dt.datetime | dt.time | None,
        use_task_logical_date: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise AirflowException(
                "Both target_upper and target_lower are None. At least one must be defined to be compared to the current datetime"
            )
        self.target_lower, self.target_upper = target_lower, target_upper
        self.follow_task_ids_if_true, self.follow_task_ids_if_false = follow_task_ids_if_true, follow_task_ids_if_false
        self.use_task_logical_date = use_task_logical_date

    def choose_branch(self, context: Any) -> Any:
        now = _compared_moment(self, context) or utcnow()
        lower, upper = self._bounds(now)
        if (upper is not None and upper < now) or (lower is not None and lower > now):
            return self.follow_task_ids_if_false
        return self.follow_task_ids_if_true

    def _bounds(self, now: dt.datetime) -> tuple[dt.datetime | None, dt.datetime | None]:
        lower, upper = (self._on_day(target, now) for target in (self.target_lower, self.target_upper))
        both_dates = isinstance(self.target_lower, dt.datetime) and isinstance(self.target_upper, dt.datetime)
        if lower is not None and upper is not None and upper < lower and not both_dates:
            upper += dt.timedelta(days=1)
        return lower, upper

    def _on_day(self, target: dt.datetime | dt.time | None, now: dt.datetime) -> dt.datetime | None:
        if target is None:
            return None
        moment = target if isinstance(target, dt.datetime) else dt.datetime.combine(now, target)
        return moment.replace(tzinfo=self.dag.timezone) if is_naive(moment) else moment


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Follows one branch on given days of the week, the other on the rest."""

    def __init__(
        self, *, follow_task_ids_if_true: Any, follow_task_ids_if_false: Any, week_day: Any,
        use_task_logical_date: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true, self.follow_task_ids_if_false = follow_task_ids_if_true, follow_task_ids_if_false
        self.week_day, self.use_task_logical_date = week_day, use_task_logical_date
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def choose_branch(self, context: Any) -> Any:
        now = _compared_moment(self, context) or utcnow().astimezone(self.dag.timezone)
        return self.follow_task_ids_if_true if now.isoweekday() in self._week_day_num else self.follow_task_ids_if_false
