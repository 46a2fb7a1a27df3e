"""`Context`: the type that DAG files annotate `context` with."""

from __future__ import annotations

from typing import Any

Context = dict[str, Any]
