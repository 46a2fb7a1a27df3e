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
        fields[name] = masking.MASK if isinstance(value, str) and masking.is_sensitive(name) else _shown(value)
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
                shown[str(key)] = masking.MASK if isinstance(item, str) and masking.is_sensitive(key) else _plain(item, depth + 1)
            return shown
        if isinstance(value, (list, tuple)):
            return [_plain(item, depth + 1) for item in value]
        if isinstance(value, (set, frozenset)):
            return sorted((_plain(item, depth + 1) for item in value), key=repr)
    if callable(value):
        return f"<callable {getattr(value, '__qualname__', type(value).__name__)}>"
    return str(value)
