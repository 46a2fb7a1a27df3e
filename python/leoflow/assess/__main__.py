"""`python -m leoflow.assess ROOT [IMPORT_PATH…]`: paths of files on standard input, one JSON list of what each imports on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from leoflow.assess.definitions import defines_only
from leoflow.assess.imports import Found, read_file
from leoflow.assess.judge import Judge


class Assessor:
    """Reads files and the project's modules that they import, each once."""

    def __init__(self, root: str, import_paths: list[str]) -> None:
        self._root, self._judge = root, Judge([root, *import_paths])
        self._read: dict[str, list[Found] | dict[str, Any]] = {}

    def assess(self, path: str) -> dict[str, Any]:
        """What one file needs: `{path, needs: [{needs, what, name, line, file, late}], definesOnly}`, or `{path, broken: {line, message}}`."""
        own = os.path.join(self._root, path)
        found = self._found(own)
        if isinstance(found, dict):
            return {"path": path, "broken": found}
        needs: dict[tuple[str, str], dict[str, Any]] = {}
        # What is imported at once comes before what functions import: a need is told with its first place, and as early as it arises.
        seen, soon, later = {own}, [(own, False)], []
        while soon or later:
            file, late = (soon or later).pop()
            for one in self._list(file):
                late_here = late or one.late
                needed = self._judge.need_of(one)
                if needed is not None:
                    known = needs.setdefault((needed["needs"], needed["what"]), {**needed, "line": one.line, "file": os.path.relpath(file, self._root), "late": late_here})
                    if known["late"] and not late_here:
                        known.update(needed, line=one.line, file=os.path.relpath(file, self._root), late=False)
                further = [local for local in self._judge.local_files(one) if local not in seen]
                if not late_here:
                    seen.update(further)
                (later if late_here else soon).extend((local, late_here) for local in further)
            seen.add(file)
            later = [item for item in later if item[0] not in seen]
        return {"path": path, "needs": list(needs.values()), "definesOnly": self._defines_only(own)}

    def _list(self, file: str) -> list[Found]:
        found = self._found(file)
        return found if isinstance(found, list) else []

    def _found(self, file: str) -> list[Found] | dict[str, Any]:
        if file not in self._read:
            try:
                self._read[file] = read_file(_bytes_of(file), file, lambda found: self._judge.need_of(found) is not None)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                self._read[file] = {"line": getattr(error, "lineno", None) or 1, "message": getattr(error, "msg", None) or str(error)}
            except OSError as error:
                self._read[file] = {"line": 1, "message": str(error)}
        return self._read[file]

    def _defines_only(self, file: str) -> bool:
        return defines_only(_bytes_of(file))


def _bytes_of(file: str) -> bytes:
    """As Python reads it: the file itself says its encoding."""
    with open(file, "rb") as content:
        return content.read()


def main() -> int:
    """Answer for every path of standard input."""
    root = os.path.abspath(sys.argv[1])
    assessor = Assessor(root, sys.argv[2:])
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.write(json.dumps([assessor.assess(line.rstrip("\n")) for line in sys.stdin if line.strip()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
