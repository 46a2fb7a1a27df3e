"""Records in recorded.json what Airflow's own search finds in each tree of cases.json: `python record.py`, with Airflow 3.2.1 installed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from airflow._shared.module_loading.file_discovery import find_path_from_directory


def found(syntax: str, files: dict[str, str]) -> list[str] | str:
    """Paths from the top, sorted; the name of the error when Airflow's search ends with one."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        try:
            return sorted(os.path.relpath(path, root) for path in find_path_from_directory(root, ".airflowignore", syntax))
        except Exception as error:
            return type(error).__name__


def main() -> None:
    """One list per line of patterns, then one per tree."""
    cases = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
    files = dict.fromkeys(cases["tree"], "")
    recorded = {
        syntax: {lines: found(syntax, {**files, ".airflowignore": lines}) for lines in cases[syntax]}
        for syntax in ("glob", "regexp")
    }
    nested = {name: found(one["syntax"], {**files, **one["ignore"]}) for name, one in cases["nested"].items()}
    text = json.dumps({**recorded, "nested": nested}, indent=1, sort_keys=True)
    Path(__file__).with_name("recorded.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
