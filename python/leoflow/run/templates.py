"""Renders template fields with the real Jinja2, which is imported only when a field holds a template."""

from __future__ import annotations

import os
from typing import Any

from leoflow.dagmodel import dag as dag_module
from leoflow.dagmodel.errors import AirflowException

_MARKS = ("{{", "{%", "{#")
_KEPT_ENVIRONMENTS = "_jinja_environments"


def holds_template(value: Any, extensions: tuple[str, ...] = ()) -> bool:
    """True when a value, or something in it, is a template or the name of a template file."""
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS) or bool(extensions and value.endswith(extensions))
    if isinstance(value, dict):
        return any(holds_template(item, extensions) for item in value.values())
    if isinstance(value, (list, tuple, set)):
        return any(holds_template(item, extensions) for item in value)
    return False


def render_fields(operator: Any, context: Any, untouched: set[int]) -> None:
    """Render every template field of an operator in place.

    untouched: ids of values that came from XComs and must not be read as templates
    """
    for name in operator.template_fields:
        if not hasattr(operator, name):
            raise AttributeError(
                f"{name!r} is configured as a template field but {type(operator).__name__} does not have this attribute."
            )
        value = getattr(operator, name)
        rendered = render_value(operator, value, context, untouched)
        if rendered is not value:
            setattr(operator, name, rendered)


def render_value(operator: Any, value: Any, context: Any, untouched: set[int]) -> Any:
    """A value with every template and XCom argument in it replaced. A value without any is answered as it is."""
    if value is None or id(value) in untouched:
        return value
    if isinstance(value, str):
        return _render_text(operator, value, context)
    # In this order, because asking the abstract class is slow.
    if hasattr(value, "resolve") and not isinstance(value, os.PathLike):
        return value.resolve(context)
    if isinstance(value, (tuple, list, set, dict)):
        return _render_collection(operator, value, context, untouched) if value else value
    if hasattr(value, "template_fields") and not isinstance(value, type):
        untouched.add(id(value))
        for name in value.template_fields:
            setattr(value, name, render_value(operator, getattr(value, name), context, untouched))
    return value


def _render_collection(operator: Any, value: Any, context: Any, untouched: set[int]) -> Any:
    if isinstance(value, dict):
        rendered: dict[Any, Any] = {}
        changed = False
        for key, item in value.items():
            rendered[key] = render_value(operator, item, context, untouched)
            changed = changed or rendered[key] is not item
        return rendered if changed else value
    items = (render_value(operator, item, context, untouched) for item in value)
    if isinstance(value, tuple):
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return list(items) if isinstance(value, list) else set(items)


def _render_text(operator: Any, text: str, context: Any) -> Any:
    extensions = tuple(operator.template_ext)
    is_file = bool(extensions) and text.endswith(extensions)
    if not is_file and not any(mark in text for mark in _MARKS):
        return text
    dag = context["dag"]
    native = operator_is_native(operator, dag)
    environment = environment_of(dag, native=native)
    if is_file:
        template = _template_file(environment, text, operator)
    else:
        template = environment.from_string(text)
    values = context.for_templates()
    if not native:
        return template.render(values)
    return _render_native(environment, template, values)


def operator_is_native(operator: Any, dag: Any) -> bool:
    """Whether templates of an operator give Python values instead of text."""
    own = getattr(operator, "render_template_as_native_obj", None)
    return bool(dag.render_template_as_native_obj if own is None else own)


def _template_file(environment: Any, name: str, operator: Any) -> Any:
    from jinja2 import TemplateNotFound

    try:
        return environment.get_template(name)
    except TemplateNotFound as error:
        folders = ", ".join(environment.loader.searchpath)
        raise AirflowException(
            f"task {getattr(operator, 'task_id', '')}: the template file {error.name!r} is in none of the folders {folders}. "
            "Add its folder to the DAG's template_searchpath, or end the command with a space when it is no file."
        ) from error


def _render_native(environment: Any, template: Any, values: Any) -> Any:
    from jinja2.nativetypes import native_concat

    block = template.new_context(values)
    return native_concat(template.root_render_func(block))


def environment_of(dag: Any, *, native: bool) -> Any:
    """The Jinja environment of a DAG, made once: sandboxed, or native, with Airflow's filters and the DAG's own additions."""
    kept = dag.__dict__.setdefault(_KEPT_ENVIRONMENTS, {})
    if native not in kept:
        from leoflow.run.jinja_environment import make_environment

        folders = [os.path.dirname(os.path.abspath(dag.fileloc)), dag_module.project_root, *dag.template_searchpath]
        kept[native] = make_environment(dag, folders, native=native)
    return kept[native]
