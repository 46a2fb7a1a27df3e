"""Splits a command as a shell would, without one, and keeps templates whole."""

from __future__ import annotations

import re
import shlex

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def split_command(text: str) -> list[str]:
    """The program and its arguments.

    Raises `ValueError` for a quotation that does not end.
    """
    templates: list[str] = []

    def keep(match: re.Match[str]) -> str:
        templates.append(match.group())
        return f"\ue000{len(templates) - 1}\ue001"

    parts = shlex.split(_TEMPLATE.sub(keep, text))
    return [re.sub("\ue000(\\d+)\ue001", lambda match: templates[int(match[1])], part) for part in parts]
