"""`python -m leoflow.parse FILE --root DIR`: one JSON document with the DAGs of a file and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import os
import sys

# Bytecode is kept of our own modules only: a module of the project that is saved twice within a second looks unchanged to Python.
sys.pycache_prefix = os.environ.get("LEOFLOW_PARSE_BYTECODE_FOLDER")
sys.dont_write_bytecode = sys.pycache_prefix is None

from leoflow.parse.clock import shift_clock  # noqa: E402
from leoflow.parse.parse_file import parse_drawings, parse_file  # noqa: E402
from leoflow.parse.serve import ParseServer  # noqa: E402

sys.pycache_prefix, sys.dont_write_bytecode = None, True


def main(argv: list[str] | None = None) -> int:
    """Parse the file named on the command line and write the document to the real stdout."""
    parser = argparse.ArgumentParser(prog="leoflow.parse", description=__doc__)
    parser.add_argument("file", help="the DAG file, below the root")
    parser.add_argument("--root", default=".", help="the project's folder")
    parser.add_argument("--dag", default=None, help="only this DAG")
    parser.add_argument("--path", action="append", default=[], help="another folder to import from (may be repeated)")
    parser.add_argument("--drawing", action="store_true", help="draw what standard input holds, a JSON list of drawings, instead of running the file")
    arguments = parser.parse_args(argv)
    os.chdir(arguments.root)
    drawings = json.load(sys.stdin) if arguments.drawing else None
    # What the DAG file prints at import goes to stderr; the document has the real stdout for itself.
    document_fd = os.dup(1)
    os.dup2(2, 1)
    shift = float(os.environ.get("LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS") or 0)
    if shift:
        shift_clock(shift)
    if drawings is None:
        document = parse_file(arguments.file, arguments.root, arguments.dag, arguments.path)
    else:
        document = parse_drawings(arguments.file, arguments.root, drawings, arguments.path)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    with os.fdopen(document_fd, "w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(text + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        ParseServer(main).run()
    else:
        sys.exit(main())
