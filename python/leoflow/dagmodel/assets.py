"""Assets: names of data that tasks read and write, and the conditions that schedule a DAG on them."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from leoflow.dagmodel.errors import UnsupportedFeature


class BaseAsset:
    """What can stand in an asset condition; combine with `&` and `|`."""

    def to_condition(self) -> dict[str, Any]:
        """The condition as dag.json writes it."""
        raise NotImplementedError

    def __or__(self, other: Any) -> AssetAny:
        return AssetAny(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def __and__(self, other: Any) -> AssetAll:
        return AssetAll(self, other) if isinstance(other, BaseAsset) else NotImplemented


class Asset(BaseAsset):
    """Data under a name and a URI; either may be left out and is then the other."""

    asset_type: ClassVar[str] = "asset"
    template_fields: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, name: str | None = None, uri: Any = None, *, group: str | None = None, extra: dict[str, Any] | None = None,
        watchers: list[Any] | None = None,
    ) -> None:
        if name is None and uri is None:
            raise TypeError("Asset() requires either 'name' or 'uri'")
        if watchers:
            raise UnsupportedFeature("Asset(watchers=…)")
        self.name = name if name is not None else str(uri)
        self.uri = _checked_uri(str(uri) if uri is not None else name or "")
        self.group = group or self.asset_type
        self.extra = extra or {}

    @staticmethod
    def ref(*, name: str | None = None, uri: str | None = None) -> AssetRef:
        """A reference to an asset that is declared elsewhere."""
        return AssetRef(name=name, uri=uri)

    def to_condition(self) -> dict[str, Any]:
        return {"__type": "asset", "name": self.name, "uri": self.uri, "group": self.group, "extra": _plain_extra(self.extra)}

    def to_reference(self) -> dict[str, Any]:
        """The asset as an inlet or outlet of a task in dag.json."""
        reference: dict[str, Any] = {"name": self.name, "uri": self.uri, "group": self.group}
        return {**reference, "extra": _plain_extra(self.extra)} if self.extra else reference

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Asset) and (self.name, self.uri) == (other.name, other.uri)

    def __hash__(self) -> int:
        return hash((self.name, self.uri))

    def __repr__(self) -> str:
        return f"Asset(name={self.name!r}, uri={self.uri!r})"


class Dataset(Asset):
    """Asset, under its name of Airflow 2."""

    asset_type: ClassVar[str] = "dataset"


class Model(Asset):
    """An asset that is a model."""

    asset_type: ClassVar[str] = "model"


class AssetRef(BaseAsset):
    """A reference to an asset by name or URI."""

    def __init__(self, *, name: str | None = None, uri: str | None = None) -> None:
        if (name is None) == (uri is None):
            raise TypeError("Asset reference expects exactly one argument, 'name' or 'uri'")
        self.name, self.uri = name, uri

    def to_condition(self) -> dict[str, Any]:
        return {"__type": "asset_ref", **self.to_reference()}

    def to_reference(self) -> dict[str, Any]:
        """The asset as an inlet or outlet of a task in dag.json."""
        return {"name": self.name} if self.name is not None else {"uri": self.uri}


class AssetAlias(BaseAsset):
    """A name under which tasks announce assets at run time."""

    def __init__(self, name: str, group: str = "asset") -> None:
        self.name, self.group = name, group

    def to_condition(self) -> dict[str, Any]:
        return {"__type": "asset_alias", "name": self.name, "group": self.group}

    def to_reference(self) -> dict[str, Any]:
        """The alias as an inlet or outlet of a task in dag.json."""
        return {"name": self.name, "group": self.group, "alias": True}

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, AssetAlias) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class _Combination(BaseAsset):
    kind: ClassVar[str]

    def __init__(self, *objects: Any) -> None:
        if not all(isinstance(item, BaseAsset) for item in objects):
            raise TypeError("expect asset expressions in condition")
        flat: list[BaseAsset] = []
        for item in objects:
            flat.extend(item.objects if type(item) is type(self) else [item])
        self.objects = flat

    def to_condition(self) -> dict[str, Any]:
        return {"__type": self.kind, "objects": [item.to_condition() for item in self.objects]}


class AssetAny(_Combination):
    """True when one of the assets was updated."""

    kind = "asset_any"


class AssetAll(_Combination):
    """True when every asset was updated."""

    kind = "asset_all"


def as_condition(schedule: Any) -> BaseAsset:
    """A condition from what `schedule=` takes: one asset, an expression, or a list that means all of them.

    Raises `TypeError` for a list that holds other things.
    """
    if isinstance(schedule, BaseAsset):
        return schedule
    return AssetAll(*schedule)


def reference(item: Any) -> dict[str, Any]:
    """An inlet or outlet as dag.json writes it.

    Raises `TypeError` for something that is no asset.
    """
    if isinstance(item, (Asset, AssetRef, AssetAlias)):
        return item.to_reference()
    raise TypeError(f"inlets and outlets must be assets, got {item!r}")


def _plain_extra(extra: dict[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(extra, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"extra of an asset must be JSON: {error}") from None


def _checked_uri(uri: str) -> str:
    if not uri or uri.isspace():
        raise ValueError("Asset uri cannot be empty or consist of whitespace")
    if not uri.isascii():
        raise ValueError("Asset uri must only consist of ASCII characters")
    if urlsplit(uri).scheme == "airflow":
        raise ValueError("Asset scheme 'airflow' is reserved")
    return uri
