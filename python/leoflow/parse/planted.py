"""Warns of secrets that a DAG file read from a connection or variable and drew into its document, where everybody who sees the DAG sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from leoflow.dagmodel import masking
from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.notices import Notice, record

#: Shorter secrets stand in many texts by chance.
MIN_LENGTH = 8
#: Names of things and places: facts that no secret is looked for in. So are keys that end in `_id` and `_ids`.
_FACTS = frozenset({
    "class", "depends_on", "file", "fileloc", "import_paths", "inputs", "kind", "operator", "operator_name", "pool", "queue", "runtime",
    "schema_version", "sources", "template_fields", "ui_color", "ui_fgcolor",
})


def warn_of_secrets(dag: DAG, document: dict[str, Any]) -> None:
    """Record a warning for each secret in a document, with its JSON path; the document stays as it is."""
    patterns = [(what, _pattern(secret), secret) for secret, what in masking.origins().items() if len(secret) >= MIN_LENGTH]
    if not patterns:
        return
    for path, text in _texts(document):
        for what, pattern, secret in patterns:
            if text == secret or (pattern is not None and pattern.search(text)):
                message = f"{what} stands in dag.json of the DAG {dag.dag_id!r} at {path}, where everybody who may see the DAG reads it"
                record(Notice(dag.fileloc, dag.line, message, "Read it in the task, or in a template that is rendered there."))


def _pattern(secret: str) -> re.Pattern[str] | None:
    """How a secret is found inside a longer text: not as a part of a word. One that is a word itself stands there by chance: None."""
    if secret.isalpha():
        return None
    forms = sorted({secret, quote(secret, safe="", errors="replace")})
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, forms))})(?![A-Za-z0-9])")


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text that is no fact, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _FACTS and not key.endswith(("_id", "_ids")):
                yield from _texts(item, f"{path}.{key}" if path else key)
