"""Params: the inputs of a run, with defaults, descriptions and a JSON schema each."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from leoflow.dagmodel.errors import ParamValidationError
from leoflow.dagmodel.notset import NOTSET, is_arg_set
from leoflow.dagmodel.param_schema import find_fault


class Param:
    """One input. Keyword arguments other than `default` and `description` are its JSON schema."""

    def __init__(self, default: Any = NOTSET, description: str | None = None, **schema: Any) -> None:
        if is_arg_set(default):
            try:
                json.dumps(default)
            except (TypeError, ValueError):
                raise ParamValidationError(f"All provided parameters must be json-serializable, got {default!r}") from None
        self.value = default
        self.description = description
        self.schema = schema.pop("schema") if "schema" in schema else schema

    @property
    def has_value(self) -> bool:
        """True when there is a default that is not None."""
        return is_arg_set(self.value) and self.value is not None

    def resolve(self, value: Any = NOTSET, suppress_exception: bool = False) -> Any:
        """`value`, or the default, checked against the schema.

        Raises `ParamValidationError` unless told not to; then None.
        """
        final = value if is_arg_set(value) else self.value
        fault = "No value passed and Param has no default value" if not is_arg_set(final) else find_fault(final, self.schema)
        if fault is None:
            return final
        if suppress_exception:
            return None
        raise ParamValidationError(fault)

    def dump(self) -> dict[str, Any]:
        """What the UI shows of a param."""
        return {"value": self.value if is_arg_set(self.value) else None, "description": self.description, "schema": self.schema}


class ParamsDict(MutableMapping):
    """Params by name. Reading gives values; `get_param` gives the `Param`."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self._params = {name: v if isinstance(v, Param) else Param(v) for name, v in (params or {}).items()}

    @classmethod
    def merged(cls, base: Any, over: Any) -> ParamsDict:
        """Params of a DAG with a task's own over them."""
        params = cls()
        for source in (base, over):
            if source is not None:
                given = source if isinstance(source, ParamsDict) else cls(source)
                params._params.update({name: copy.copy(param) for name, param in given._params.items()})
        return params

    def get_param(self, name: str) -> Param:
        """The `Param` behind a name."""
        return self._params[name]

    def __getitem__(self, name: str) -> Any:
        return self._params[name].resolve()

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Param):
            self._params[name] = value
        elif name in self._params:
            self._params[name].value = value
        else:
            self._params[name] = Param(value)

    def __delitem__(self, name: str) -> None:
        del self._params[name]

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __repr__(self) -> str:
        return repr({name: param.value for name, param in self._params.items()})

    def __copy__(self) -> ParamsDict:
        return ParamsDict.merged(self, None)

    def params(self) -> Iterator[tuple[str, Param]]:
        """Names and `Param`s, in order."""
        return iter(self._params.items())

    def dump(self) -> dict[str, Any]:
        """Names and values, unchecked."""
        return {name: param.value for name, param in self._params.items() if is_arg_set(param.value)}

    def validate(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Names and checked values, with `overrides` over the defaults; names that are no params are taken as they are.

        Raises `ParamValidationError` naming the param.
        """
        given = overrides or {}
        values = {name: value for name, value in given.items() if name not in self._params}
        for name, param in self._params.items():
            try:
                values[name] = param.resolve(given.get(name, NOTSET))
            except ParamValidationError as error:
                raise ParamValidationError(f"Invalid input for param {name}: {error}") from None
        return {name: values[name] for name in [*self._params, *(n for n in values if n not in self._params)]}


class DagParam:
    """`dag.param("name")`: a param's value, resolved when the task runs."""

    def __init__(self, dag: Any, name: str, default: Any = NOTSET) -> None:
        if is_arg_set(default):
            dag.params[name] = default
        self.name = name

    def iter_references(self) -> tuple[()]:
        """A param comes from no task."""
        return ()

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """The value of the run at hand."""
        return context["params"][self.name]
