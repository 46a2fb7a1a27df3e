"""`python -m leoflow.parse FILE --root DIR`: one JSON document with the DAGs of a file and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import os
import sys

from leoflow.parse.clock import shift_clock
from leoflow.parse.parse_file import parse_file


def main(argv: list[str] | None = None) -> int:
    """Parse the file named on the command line and write the document to the real stdout."""
    parser = argparse.ArgumentParser(prog="leoflow.parse", description=__doc__)
    parser.add_argument("file", help="the DAG file, below the root")
    parser.add_argument("--root", default=".", help="the project's folder")
    parser.add_argument("--dag", default=None, help="only this DAG")
    parser.add_argument("--path", action="append", default=[], help="another folder to import from (may be repeated)")
    arguments = parser.parse_args(argv)
    # What the DAG file prints at import goes to stderr; the document has the real stdout for itself.
    document_fd = os.dup(1)
    os.dup2(2, 1)
    shift = float(os.environ.get("LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS") or 0)
    if shift:
        shift_clock(shift)
    document = parse_file(arguments.file, arguments.root, arguments.dag, arguments.path)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    with os.fdopen(document_fd, "w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(text + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
