"""A running task's context: Airflow's names, each worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from typing import Any

from leoflow.dagmodel.accessors import ConnectionAccessor, make_var
from leoflow.dagmodel.errors import UnsupportedFeature
from leoflow.dagmodel.moments import as_pendulum
from leoflow.run import macros


class DagRunType(str, Enum):
    """As in Airflow's context: equal to its word, and rendered as `DagRunType.MANUAL`."""

    BACKFILL = "backfill"
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    ASSET_TRIGGERED = "asset_triggered"
    ASSET_MATERIALIZATION = "asset_materialization"


class DagRunView:
    """`dag_run`: the run that the task belongs to."""

    def __init__(self, dag_id: str, run: dict[str, Any]) -> None:
        self.dag_id, self._run = dag_id, run
        self.run_id, self.run_type = run["run_id"], DagRunType(run.get("run_type", "manual"))
        self.conf = run.get("conf") or {}
        self.triggering_user_name = run.get("triggering_user_name")
        self.state = "running"

    def __getattr__(self, name: str) -> Any:
        if name not in _RUN_DATES:
            raise AttributeError(f"dag_run has no attribute {name!r}")
        value = as_pendulum(self._run.get(name))
        self.__dict__[name] = value
        return value

    @property
    def external_trigger(self) -> bool:
        """True for a run that was triggered by hand."""
        return self.run_type == "manual"

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} {self.run_id}>"


_RUN_DATES = frozenset({"logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date", "queued_at", "next_interval_end"})


class Refusal:
    """Stands for a part of the context that is not there: any use of it says so."""

    def __init__(self, name: str, hint: str) -> None:
        self.__dict__["_why"] = (name, hint)

    def _refuse(self, *_: Any) -> Any:
        raise UnsupportedFeature(*self._why)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse()

    __getitem__ = __setitem__ = __iter__ = __len__ = __contains__ = __setattr__ = _refuse


_ASSETS = "Leoflow records that outlets were updated; their extra and events are not part of this version."


def _moment(context: TaskContext) -> datetime:
    text = context.run["logical_date"]
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _key_text(context: TaskContext) -> str:
    ti = context["ti"]
    stamp = context["ds_nodash"] if "ds_nodash" in context else ti.run_id
    return f"{ti.dag_id}__{ti.task_id}__{stamp}"


_ALWAYS: dict[str, Callable[[Any], Any]] = {
    "conn": lambda c: ConnectionAccessor(),
    "dag_run": lambda c: DagRunView(c["dag"].dag_id, c.run),
    "expanded_ti_count": lambda c: c["ti"].expanded_count(),
    "inlet_events": lambda c: Refusal("inlet_events", _ASSETS),
    "macros": lambda c: macros,
    "outlet_events": lambda c: Refusal("outlet_events", _ASSETS),
    "params": lambda c: c["task"].params.validate(c.run.get("conf") or {}),
    "prev_end_date_success": lambda c: None,
    "prev_start_date_success": lambda c: None,
    "task_instance_key_str": _key_text,
    "triggering_asset_events": lambda c: Refusal("triggering_asset_events", _ASSETS),
    "var": lambda c: make_var(),
}
# Airflow has these only when the run has a logical date.
_DATED: dict[str, Callable[[Any], Any]] = {
    "data_interval_end": lambda c: c["dag_run"].data_interval_end,
    "data_interval_start": lambda c: c["dag_run"].data_interval_start,
    "ds": lambda c: _moment(c).strftime("%Y-%m-%d"),
    "ds_nodash": lambda c: _moment(c).strftime("%Y%m%d"),
    "logical_date": lambda c: c["dag_run"].logical_date,
    "prev_data_interval_end_success": lambda c: None,
    "prev_data_interval_start_success": lambda c: None,
    "ts": lambda c: _moment(c).isoformat(),
    "ts_nodash": lambda c: _moment(c).strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda c: _moment(c).isoformat().replace("-", "").replace(":", ""),
}
_LAZY = {**_ALWAYS, **_DATED}


class TaskContext(dict):
    """The context. A plain dict to its users; copying or iterating over it works everything out."""

    def __init__(self, ti: Any, dag: Any, task: Any, run: dict[str, Any]) -> None:
        super().__init__(
            ti=ti, task_instance=ti, dag=dag, task=task, run_id=run["run_id"], inlets=task.inlets, outlets=task.outlets,
            map_index_template=task.map_index_template, task_reschedule_count=0, test_mode=False,
        )
        self.run = run
        self._complete = False

    def __missing__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        value = self[key] = _LAZY[key](self)
        return value

    def __contains__(self, key: object) -> bool:
        if super().__contains__(key):
            return True
        return key in _ALWAYS or (key in _DATED and self.run.get("logical_date") is not None)

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or the default for a name the context has not."""
        return self[key] if key in self else default

    def materialize(self) -> TaskContext:
        """Work everything out; the answer is the context itself."""
        if not self._complete:
            self._complete = True
            for key in _LAZY:
                if key in self and not super().__contains__(key):
                    self[key] = _LAZY[key](self)
        return self

    for_templates = materialize

    def __iter__(self) -> Iterator[str]:
        self.materialize()
        return super().__iter__()

    def __len__(self) -> int:
        self.materialize()
        return super().__len__()

    def keys(self) -> Any:
        """All names."""
        self.materialize()
        return super().keys()

    def items(self) -> Any:
        """All names and values."""
        self.materialize()
        return super().items()

    def values(self) -> Any:
        """All values."""
        self.materialize()
        return super().values()

    def copy(self) -> dict[str, Any]:
        """A plain dict of everything."""
        return dict(self.items())
