"""`python -m leoflow.airflow_runtime.parse FILE --root DIR`: the DAGs of a file as the project's own Task SDK serializes them, as one JSON document."""

from __future__ import annotations

import argparse
import json
import os
import sys

# Bytecode is kept of our own modules only, as leoflow.parse does; Airflow's was written when it was installed.
sys.pycache_prefix = os.environ.get("LEOFLOW_PARSE_BYTECODE_FOLDER")
sys.dont_write_bytecode = sys.pycache_prefix is None

from leoflow.airflow_runtime import parse_home  # noqa: E402
from leoflow.parse.serve import ParseServer  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Parse the file named on the command line and write the document to the real stdout."""
    arguments = _arguments(argv)
    os.chdir(arguments.root)
    # Airflow logs to stdout while it is imported, and so may the file.
    document_fd = os.dup(1)
    os.dup2(2, 1)
    with parse_home.home() as home:
        _prepare(arguments, home)
        from leoflow.airflow_runtime.parse_file import parse_file

        sys.pycache_prefix, sys.dont_write_bytecode = None, True
        _shift_clock()
        document = parse_file(arguments.file, arguments.root)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    with os.fdopen(document_fd, "w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(text + "\n")
    sys.stdout.flush()
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="leoflow.airflow_runtime.parse", description=__doc__)
    parser.add_argument("file", nargs="?", help="the DAG file, below the root")
    parser.add_argument("--root", default=".", help="the project's folder")
    parser.add_argument("--path", action="append", default=[], help="another folder to import from (may be repeated)")
    parser.add_argument("--serve", action="store_true", help="import everything once and parse what standard input asks for")
    return parser.parse_args(argv)


def _prepare(arguments: argparse.Namespace, home: str) -> None:
    root = os.path.realpath(arguments.root)
    parse_home.prepare(root, [os.path.realpath(path) for path in arguments.path], home)


def _shift_clock() -> None:
    shift = float(os.environ.get("LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS") or 0)
    if shift:
        from leoflow.parse.clock import shift_clock

        shift_clock(shift)


def serve(arguments: argparse.Namespace) -> None:
    """Import the SDK, then fork for each file. Answers have the real stdout for themselves, also while Airflow is imported."""
    answers = os.dup(1)
    os.dup2(2, 1)
    with parse_home.home() as home:
        _prepare(arguments, home)
        from leoflow.airflow_runtime import parse_file  # noqa: F401

        sys.pycache_prefix, sys.dont_write_bytecode = None, True
        os.dup2(answers, 1)
        os.close(answers)
        ParseServer(main).run()


if __name__ == "__main__":
    if "--serve" in sys.argv[1:]:
        serve(_arguments(sys.argv[1:]))
    else:
        sys.exit(main())
