"""A drawn DAG as a drawing: its tasks and groups in order, every edge, whatever is not at its default."""

from __future__ import annotations

from typing import Any

from leoflow.convert.arguments import ArgumentWriter, Refuse
from leoflow.convert.problems import Place, Unsayable
from leoflow.convert.references import Names
from leoflow.convert.values import ValueWriter, duration, moment, params
from leoflow.dagmodel import recording
from leoflow.dagmodel.calling import call_plan
from leoflow.dagmodel.moments import zone_name
from leoflow.dagmodel.operator import merge_defaults
from leoflow.dagmodel.task_decorator import returns_mapping
from leoflow.dagmodel.task_group import DEFAULT_COLOR, DEFAULT_TEXT_COLOR
from leoflow.dagmodel.timetables import NullTimetable
from leoflow.dagmodel.xcom_arg import iter_xcom_references

_DECORATORS = {
    "_PythonDecoratedOperator": "task", "_BranchPythonDecoratedOperator": "branch", "_ShortCircuitDecoratedOperator": "short_circuit",
    "DecoratedSensorOperator": "sensor", "_BashDecoratedOperator": "bash",
}
_PLAIN = (
    ("description", None), ("doc_md", None), ("catchup", False), ("max_active_runs", 16), ("max_active_tasks", 16),
    ("max_consecutive_failed_dag_runs", 0), ("fail_fast", False), ("is_paused_upon_creation", None),
    ("render_template_as_native_obj", False), ("allowed_run_types", None), ("template_searchpath", []),
)
_UNSAYABLE = ("user_defined_macros", "user_defined_filters", "jinja_environment_kwargs", "template_undefined")
_GROUP_WORDS = (("tooltip", "tooltip", ""), ("ui_color", "ui_color", DEFAULT_COLOR), ("ui_fgcolor", "ui_fgcolor", DEFAULT_TEXT_COLOR),
                ("group_display_name", "display_name", ""), ("prefix_group_id", "prefix_group_id", True))
_FUNCTION_WORDS = {"mode", "poke_interval", "timeout", "soft_fail", "exponential_backoff", "max_wait", "silent_fail", "never_fail",
                   "ignore_downstream_trigger_rules", "env", "append_env", "cwd", "templates_dict", "show_return_value_in_logs"}


class DagWriter:
    """Says one DAG. What cannot be said is in `problems`, each with the line that made it."""

    def __init__(self, dag: Any, names: Names) -> None:
        self._dag, self._names = dag, names
        self.problems: list[tuple[Place, str, str]] = []
        function = names.of_function
        self._writer = ValueWriter(function, dag.timezone)
        self._arguments = ArgumentWriter(self._writer, function, dag.timezone)

    def write(self) -> dict[str, Any]:
        """The drawing."""
        return {**self._head(), "tasks": self._children(self._dag.task_group)}

    def _refuse(self, where: str, place: Place) -> Refuse:
        return lambda argument, error: self.problems.append((place, f"{where}: {argument}: {error.what}", error.hint))

    def _head(self) -> dict[str, Any]:
        dag = self._dag
        refuse = self._refuse(f"DAG {dag.dag_id}", Place(dag.fileloc, dag.line))
        said: dict[str, Any] = {"dag_id": dag.dag_id}
        if dag.dag_display_name != dag.dag_id:
            said["display_name"] = dag.dag_display_name
        said.update(self._schedule())
        for name in ("start_date", "end_date"):
            if getattr(dag, name) is not None:
                said[name] = moment(getattr(dag, name), dag.timezone)
        said.update({name: getattr(dag, name) for name, default in _PLAIN if getattr(dag, name) != default})
        if dag.tags:
            said["tags"] = sorted(dag.tags)
        if dag.owner_links:
            said["owner_links"] = dag.owner_links
        if dag.dagrun_timeout is not None:
            said["dagrun_timeout"] = duration(dag.dagrun_timeout)
        if len(dag.params):
            said["params"] = params(dag.params)
        defaults = self._defaults(dag.default_args, refuse)
        said.update({"default_args": defaults} if defaults else {})
        for name in ("on_success_callback", "on_failure_callback"):
            said.update(self._callbacks(name, getattr(dag, name), refuse))
        for name in _UNSAYABLE:
            if getattr(dag, name):
                refuse(name, Unsayable("YAML has no word for this argument"))
        return said

    def _schedule(self) -> dict[str, Any]:
        dag, said = self._dag, {}
        zone = zone_name(dag.timezone)
        spec = dag.timetable.to_json()
        simple = {"cron": {"kind", "expressions", "timezone"}, "delta": {"kind", "seconds"}, "once": {"kind"}, "continuous": {"kind"}}
        if isinstance(dag.timetable, NullTimetable):
            pass
        elif set(spec) != simple.get(spec["kind"]) or spec.get("timezone", zone) != zone or len(spec.get("expressions", "x")) != 1:
            said["timetable"] = spec
        elif spec["kind"] == "cron":
            (said["schedule"],) = spec["expressions"]
        else:
            said["schedule"] = spec["seconds"] if spec["kind"] == "delta" else f"@{spec['kind']}"
        return {**said, "timezone": zone} if zone != "UTC" else said

    def _callbacks(self, name: str, functions: list[Any], refuse: Refuse) -> dict[str, Any]:
        try:
            said = [self._names.of_function(function) for function in functions]
        except Unsayable as error:
            refuse(name, error)
            return {}
        return {name: said[0] if len(said) == 1 else said} if said else {}

    def _defaults(self, given: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for name, value in given.items():
            try:
                said[name] = self._arguments.default(name, value)
            except Unsayable as error:
                refuse(f"default_args: {name}", error)
        return said

    def _children(self, group: Any) -> dict[str, Any]:
        said = {}
        for child in group.children.values():
            said[child._group_id if child.is_group else child.label] = self._group(child) if child.is_group else self._task(child)
        return said

    def _group(self, group: Any) -> dict[str, Any]:
        refuse = self._refuse(f"group {group.group_id}", Place(self._dag.fileloc, self._dag.line))
        said: dict[str, Any] = {word: getattr(group, name) for name, word, default in _GROUP_WORDS if getattr(group, name) != default}
        inherited = group.parent_group.default_args
        own = {name: value for name, value in group.default_args.items() if name not in inherited or inherited[name] != value}
        defaults = self._defaults(own, refuse)
        said.update({"default_args": defaults} if defaults else {})
        if group.is_mapped:
            said.update(self._expansion(group.expand_input, refuse))
        after = [{"task": _end(before, ".downstream_join_id"), "label": edges[f"{group.group_id}.upstream_join_id"]["label"]}
                 for before, edges in sorted(self._dag.edge_info.items()) if f"{group.group_id}.upstream_join_id" in edges]
        said.update({"after": after} if after else {})
        return {**said, "tasks": self._children(group)}

    def _task(self, task: Any) -> dict[str, Any]:
        call = recording.call_of(task)
        refuse = self._refuse(f"task {task.task_id}", Place(call.file, call.line))
        given = task.partial_kwargs if task.is_mapped else call.arguments
        say = self._function if task.operator_class.__module__ == "leoflow.dagmodel.decorated" else self._operator
        try:
            said = say(task, given, refuse)
        except Unsayable as error:
            refuse("the task", error)
            return {}
        common = self._arguments.common(task, refuse)
        if "python" in said and common.get("doc_md") == task.python_callable.__doc__:
            common.pop("doc_md", None)
        said.update(common)
        if task.is_mapped:
            said.update(self._expansion(task.expand_input, refuse))
        said.update(self._edges(task))
        return said

    def _function(self, task: Any, given: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
        decorator = _DECORATORS[task.operator_class.__name__]
        said: dict[str, Any] = {"python": self._names.of_function(task.python_callable, [task.task_id, f"{self._dag.dag_id}.{task.task_id}"])}
        said.update({"decorator": decorator} if decorator != "task" else {})
        own = self._arguments.own(task.operator_class, self._not_inherited(task, given), refuse)
        for name in set(own) - _FUNCTION_WORDS:
            refuse(name, Unsayable(f"a function as a task has no word for it; given is {own.pop(name)!r:.60}"))
        said.update(own)
        # What a mapped task shares has the arguments that `partial` names; a plain one was called with some by place.
        kwargs = dict((given if task.is_mapped else vars(task)).get("op_kwargs") or {})
        args = tuple((given if task.is_mapped else vars(task)).get("op_args") or ())
        positional = call_plan(task.python_callable)[2]
        if len(args) > len(positional):
            refuse("op_args", Unsayable("arguments by place that the function has no names for"))
        values = self._arguments.values({**dict(zip(positional, args)), **kwargs}, refuse)
        said.update({"with": values} if values else {})
        expected = decorator not in ("sensor", "bash") and returns_mapping(task.python_callable)
        if decorator not in ("sensor", "bash") and bool(task.multiple_outputs) != expected:
            said["multiple_outputs"] = bool(task.multiple_outputs)
        return said

    def _operator(self, task: Any, given: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
        said: dict[str, Any] = {"operator": self._names.of_class(task.operator_class)}
        given = self._not_inherited(task, given)
        said.update(self._arguments.own(task.operator_class, given, refuse))
        function = given.get("python_callable")
        if function is not None:
            said["python_callable"] = self._names.of_function(function, [task.task_id, f"{self._dag.dag_id}.{task.task_id}"])
        for name in ("op_args", "op_kwargs"):
            if given.get(name):
                said.update(self._arguments.values({name: given[name]}, refuse))
        if task.multiple_outputs:
            said["multiple_outputs"] = True
        return said

    @staticmethod
    def _not_inherited(task: Any, given: dict[str, Any]) -> dict[str, Any]:
        defaults = merge_defaults(task.dag, task.task_group, None)
        return {name: value for name, value in given.items() if name not in defaults or defaults[name] is not value}

    def _expansion(self, expand_input: Any, refuse: Refuse) -> dict[str, Any]:
        try:
            if hasattr(expand_input, "names"):
                return {"expand": {name: self._writer.say(value) for name, value in expand_input.value.items()}}
            return {"expand_rows": self._writer.say(expand_input.value)}
        except Unsayable as error:
            refuse("expand", error)
            return {}

    def _edges(self, task: Any) -> dict[str, Any]:
        drawn = {source.task_id for name in task.template_fields for source, _ in iter_xcom_references(getattr(task, name, None))}
        groups = list(task.iter_mapped_task_groups())
        inputs = [*([task.expand_input] if task.is_mapped else []), *(group.expand_input for group in groups if task in group.roots)]
        drawn.update(source.task_id for value in inputs for source, _ in iter_xcom_references(value))
        labels = {before: edges[task.task_id]["label"] for before, edges in self._dag.edge_info.items() if task.task_id in edges}
        after: list[Any] = [before for before in sorted(task.upstream_task_ids - drawn - set(labels))]
        after += [{"task": _end(before, ".downstream_join_id"), "label": label} for before, label in sorted(labels.items())]
        said: dict[str, Any] = {"after": after} if after else {}
        said.update({"setup": True} if task.is_setup else {})
        said.update({"teardown": True} if task.is_teardown else {})
        return {**said, "on_failure_fail_dagrun": True} if task.on_failure_fail_dagrun else said


def _end(node_id: str, suffix: str) -> str:
    return node_id.removesuffix(suffix)
