"""`python -m leoflow.assess ROOT`: paths of files on standard input, one JSON list of what each imports on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from leoflow.assess.imports import Judge, imports_of


def assess(root: str, path: str, judge: Judge) -> dict[str, Any]:
    """What one file needs: `{path, needs: [{needs, what, name, line}]}`, or `{path, broken: {line, message}}`."""
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            names = imports_of(file.read(), path)
    except (SyntaxError, ValueError) as error:
        return {"path": path, "broken": {"line": getattr(error, "lineno", None) or 1, "message": getattr(error, "msg", None) or str(error)}}
    except OSError as error:
        return {"path": path, "broken": {"line": 1, "message": str(error)}}
    judged = ((judge.judge(name), name, line) for name, line in names)
    return {"path": path, "needs": [{**needed, "name": name, "line": line} for needed, name, line in judged if needed is not None]}


def main() -> int:
    """Answer for every path of standard input."""
    root = os.path.abspath(sys.argv[1])
    judge = Judge(root)
    sys.stdout.write(json.dumps([assess(root, line.rstrip("\n"), judge) for line in sys.stdin if line.strip()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
