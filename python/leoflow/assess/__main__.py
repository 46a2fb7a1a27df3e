"""`python -m leoflow.assess ROOT [IMPORT_PATH…]`: paths of files on standard input, one JSON list of what each imports on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from leoflow.assess.imports import Judge, imports_of


class Assessor:
    """Reads files and the project's modules that they import, each once."""

    def __init__(self, root: str, import_paths: list[str]) -> None:
        self._root, self._judge = root, Judge([root, *import_paths])
        self._read: dict[str, list[tuple[str, int]] | dict[str, Any]] = {}

    def assess(self, path: str) -> dict[str, Any]:
        """What one file needs: `{path, needs: [{needs, what, name, line, file}]}`, or `{path, broken: {line, message}}`."""
        own = os.path.join(self._root, path)
        names = self._names(own)
        if isinstance(names, dict):
            return {"path": path, "broken": names}
        needs, seen, waiting = [], {own}, [own]
        while waiting:
            file = waiting.pop()
            names = self._names(file)
            for name, line in names if isinstance(names, list) else []:
                needed = self._judge.judge(name)
                if needed is not None:
                    needs.append({**needed, "name": name, "line": line, "file": os.path.relpath(file, self._root)})
                further = [local for local in self._judge.local_files(name) if local not in seen]
                seen.update(further)
                waiting.extend(further)
        return {"path": path, "needs": needs}

    def _names(self, file: str) -> list[tuple[str, int]] | dict[str, Any]:
        if file not in self._read:
            try:
                with open(file, encoding="utf-8", errors="replace") as text:
                    self._read[file] = imports_of(text.read(), file)
            except (SyntaxError, ValueError) as error:
                self._read[file] = {"line": getattr(error, "lineno", None) or 1, "message": getattr(error, "msg", None) or str(error)}
            except OSError as error:
                self._read[file] = {"line": 1, "message": str(error)}
        return self._read[file]


def main() -> int:
    """Answer for every path of standard input."""
    root = os.path.abspath(sys.argv[1])
    assessor = Assessor(root, sys.argv[2:])
    sys.stdout.write(json.dumps([assessor.assess(line.rstrip("\n")) for line in sys.stdin if line.strip()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
