"""Operators that call a Python function: PythonOperator, BranchPythonOperator, ShortCircuitOperator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from leoflow.dagmodel.calling import call, choose_kwargs
from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.quick_log import info
from leoflow.dagmodel.skipping import BaseBranchOperator, SkipMixin


class PythonOperator(BaseOperator):
    """Calls `python_callable`; its return value becomes the task's XCom."""

    template_fields: Any = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"
    shallow_copy_attrs = ("python_callable", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: Any = None,
        show_return_value_in_logs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(python_callable):
            raise AirflowException("`python_callable` param must be callable")
        self.python_callable = python_callable
        self.op_args = op_args or ()
        self.op_kwargs = op_kwargs or {}
        self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = templates_exts
        self.show_return_value_in_logs = show_return_value_in_logs

    def execute(self, context: Any) -> Any:
        if self.templates_dict is not None:
            context["templates_dict"] = self.templates_dict
        self.op_kwargs = choose_kwargs(self.python_callable, self.op_args, self.op_kwargs, context)
        value = self.execute_callable()
        if self.show_return_value_in_logs:
            info(self.log, "Done. Returned value was: %s", value)
        else:
            info(self.log, "Done. Returned value not shown")
        return value

    def execute_callable(self) -> Any:
        """Call the function with the arguments worked out."""
        return call(self.python_callable, self.op_args, self.op_kwargs)


class BranchPythonOperator(BaseBranchOperator, PythonOperator):
    """Calls a function that answers which tasks or groups to follow."""

    def choose_branch(self, context: Any) -> Any:
        return PythonOperator.execute(self, context)


class ShortCircuitOperator(PythonOperator, SkipMixin):
    """Calls a function; a falsy answer skips what comes after."""

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def execute(self, context: Any) -> Any:
        condition = super().execute(context)
        self.log.info("Condition result is %s", condition)
        if condition:
            self.log.info("Proceeding with downstream tasks...")
            return condition
        if not self.downstream_task_ids:
            self.log.info("No downstream tasks; nothing to do.")
            return condition
        if self.ignore_downstream_trigger_rules:
            self.log.info("Skipping all downstream tasks...")
            relatives = self.get_flat_relatives(upstream=False)
            self.skip_transitively(context["ti"], [task for task in relatives if not task.is_teardown])
        else:
            self.log.info("Skipping downstream tasks while respecting trigger rules...")
            relatives = self.get_direct_relatives(upstream=False)
            self.skip(context["ti"], [task for task in relatives if not task.is_teardown])
        return condition
