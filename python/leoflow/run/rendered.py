"""The template fields of a task as people are shown them: plain JSON, cut to a length."""

from __future__ import annotations

import math
from typing import Any

from leoflow.dagmodel import masking

# Airflow's max_templated_field_length.
MAX_FIELD_CHARS = 4_096
_SCALARS = (str, int, float, bool, type(None))


def rendered_fields(operator: Any) -> dict[str, Any]:
    """Every template field by name."""
    fields: dict[str, Any] = {}
    for name in operator.template_fields:
        value = getattr(operator, name, None)
        fields[name] = _hidden(_plain(value, 0)) if masking.is_sensitive(name) else _shown(value)
    return fields


def _shown(value: Any) -> Any:
    if type(value) in _SCALARS:
        return _cut(masking.mask(value)) if isinstance(value, str) else _finite(value)
    if not value and isinstance(value, (list, tuple, dict)):
        return {} if isinstance(value, dict) else []
    plain = masking.mask_all(_plain(value, 0))
    text = str(plain)
    return plain if len(text) <= MAX_FIELD_CHARS else _cut(text)


def _finite(value: Any) -> Any:
    # JSON has no NaN and no infinity, and the report must be JSON for any reader.
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_FIELD_CHARS else f"Truncated. {text[:MAX_FIELD_CHARS - 20]}..."


def _plain(value: Any, depth: int) -> Any:
    if type(value) in _SCALARS:
        return _finite(value)
    if depth < 8:
        if isinstance(value, dict):
            shown: dict[str, Any] = {}
            for key, item in value.items():
                plain = _plain(item, depth + 1)
                shown[str(key)] = _hidden(plain) if masking.is_sensitive(key) else plain
            return shown
        if isinstance(value, (list, tuple)):
            return [_plain(item, depth + 1) for item in value]
        if isinstance(value, (set, frozenset)):
            return sorted((_plain(item, depth + 1) for item in value), key=repr)
    elif isinstance(value, (dict, list, tuple, set, frozenset)):
        return "…"
    if callable(value):
        return f"<callable {getattr(value, '__qualname__', type(value).__name__)}>"
    return str(value)


def _hidden(plain: Any) -> Any:
    """Below a sensitive name nothing is shown but the shape."""
    if plain is None or isinstance(plain, bool):
        return plain
    if isinstance(plain, dict):
        return {key: _hidden(item) for key, item in plain.items()}
    return [_hidden(item) for item in plain] if isinstance(plain, list) else masking.MASK
