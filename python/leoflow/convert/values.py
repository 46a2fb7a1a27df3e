"""Values of a drawn DAG in the words of a drawing."""

from __future__ import annotations

import datetime as dt
import enum
import math
import os
from collections.abc import Callable
from typing import Any

from leoflow.convert.problems import Unsayable
from leoflow.dagmodel.assets import Asset, AssetAlias, AssetRef
from leoflow.dagmodel.expansion import MappedArgument
from leoflow.dagmodel.literal import LiteralValue
from leoflow.dagmodel.moments import utc
from leoflow.dagmodel.notset import is_arg_set
from leoflow.dagmodel.params import DagParam, ParamsDict
from leoflow.dagmodel.xcom_arg import RETURN_KEY, ConcatXComArg, MapXComArg, PlainXComArg, XComArg, ZipXComArg
from leoflow.draw.values import form_of
from leoflow.draw.words import SPEC_KEYS

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def duration(value: dt.timedelta) -> str | float:
    """1h30m, 45s, …; seconds as a number when they are not whole."""
    total = value.total_seconds()
    if total != int(total) or total <= 0:
        return int(total) if total == int(total) else total
    left, text = int(total), ""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def moment(value: dt.datetime, zone: dt.tzinfo) -> str:
    """A date in the DAG's time zone, its offset left out when it says nothing more."""
    local = value.replace(tzinfo=utc) if value.tzinfo is None else value.astimezone(zone)
    plain = local.replace(tzinfo=None)
    if plain.replace(tzinfo=zone).utcoffset() != local.utcoffset() or local.fold:
        return local.isoformat()
    return plain.date().isoformat() if plain.time() == dt.time() else plain.isoformat()


def asset(item: Any) -> Any:
    """An asset as inlets and outlets say it. Raises `Unsayable`."""
    if isinstance(item, AssetRef):
        return {"ref": item.name} if item.name is not None else {"ref": {"uri": item.uri}}
    if isinstance(item, AssetAlias):
        return {"alias": item.name} if item.group == "asset" else {"alias": item.name, "group": item.group}
    if not isinstance(item, Asset):
        raise Unsayable(f"{item!r} is no asset")
    said: dict[str, Any] = {"asset": item.uri}
    if item.name != item.uri:
        said["name"] = item.name
    if item.group != "asset":
        said["group"] = item.group
    if item.extra:
        said["extra"] = item.extra
    return item.uri if len(said) == 1 else said


def params(given: ParamsDict) -> dict[str, Any]:
    """Params by name: the default alone when there is nothing else to say."""
    said: dict[str, Any] = {}
    for name, param in given.params():
        spec = {"default": param.value} if is_arg_set(param.value) else {}
        if param.description is not None:
            spec["description"] = param.description
        is_told = SPEC_KEYS & {*spec, *param.schema} and not {"default", "description", "schema"} & set(param.schema)
        spec.update(param.schema if is_told else {"schema": param.schema})
        plain = list(spec) == ["default"] and not (isinstance(param.value, dict) and SPEC_KEYS & set(param.value))
        said[name] = param.value if plain else spec
    return said


class ValueWriter:
    """Says arguments.

    function: answers the reference of a function, or raises `Unsayable`; zone: the DAG's
    """

    def __init__(self, function: Callable[[Any], str], zone: dt.tzinfo) -> None:
        self._function, self._zone = function, zone

    def say(self, value: Any, annotation: str = "") -> Any:
        """A value in a drawing's words. `annotation`: of the constructor's argument that it is for. Raises `Unsayable`."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return str(value.value) if isinstance(value, str) else value.name
        if isinstance(value, (str, int)):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, (list, tuple)):
            return [self.say(item) for item in value]
        if isinstance(value, dict):
            return self._mapping(value)
        return self._other(value, annotation)

    def _mapping(self, value: dict[Any, Any]) -> dict[str, Any]:
        if not all(isinstance(key, str) for key in value):
            raise Unsayable("a mapping has keys that are no texts")
        said = {key: self.say(item) for key, item in value.items()}
        if form_of(value) is None:
            return said
        if said != value:
            raise Unsayable(f"a mapping with the keys {', '.join(value)} means something else here")
        return {"literal": said}

    def _other(self, value: Any, annotation: str) -> Any:
        if isinstance(value, (XComArg, MappedArgument, DagParam, LiteralValue)):
            return self._reference(value)
        if isinstance(value, dt.timedelta) and "timedelta" in annotation:
            return duration(value)
        if isinstance(value, dt.datetime) and "datetime" in annotation:
            return value.isoformat() if "str" in annotation else moment(value, self._zone)
        if isinstance(value, dt.time) and "time" in annotation and value.tzinfo is None:
            return value.isoformat()
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, (set, frozenset)) and all(isinstance(item, enum.Enum) for item in value):
            return sorted(item.name for item in value)
        if callable(value) and "Callable" in annotation:
            return self._function(value)
        raise Unsayable(f"a value of type {type(value).__name__} has no words in YAML: {value!r:.60}")

    def _reference(self, value: Any) -> dict[str, Any]:
        if isinstance(value, PlainXComArg):
            said = {"xcom": value.operator.task_id}
            return said if value.key == RETURN_KEY else {**said, "key": value.key}
        if isinstance(value, MappedArgument):
            return {"argument": value.key}
        if isinstance(value, DagParam):
            return {"param": value.name}
        if isinstance(value, LiteralValue):
            return {"literal": value.value}
        if isinstance(value, ZipXComArg):
            said = {"zip": [self.say(arg) for arg in value.args]}
            return {**said, "fillvalue": self.say(value.fillvalue)} if is_arg_set(value.fillvalue) else said
        if isinstance(value, ConcatXComArg):
            return {"concat": [self.say(arg) for arg in value.args]}
        if isinstance(value, MapXComArg):
            said = self.say(value.arg)
            for function in value.callables:
                said = {"map": said, "through": self._function(function)}
            return said
        raise Unsayable(f"a {type(value).__name__} has no words in YAML")
