"""What the standalone reader tells: a table or JSON on standard output, and beside it where it came from and why it may be empty."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any, Dict, List

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text from elsewhere for a terminal: control characters and marks that turn the direction of writing are shown as escapes, so that no value moves the cursor or hides what stands beside it."""
    return CONTROL.sub(lambda sign: "\\u%04x" % ord(sign.group()), text)


def some(names: List[str], many: int = 8) -> str:
    return ", ".join(names[:many]) + (", …" if len(names) > many else "")


def tell_hints(hints: Dict[str, Any], runs: List[Dict[str, Any]], flags: argparse.Namespace) -> List[str]:
    """Why nothing matched, and what to try next."""
    if not hints["dag_known"] and hints["incomplete"]:
        return ["why could not be told: the role may not read the tables dag and task_instance"]
    if not hints["dag_known"]:
        return ["there is no DAG %s; known are %s" % (flags.dag_id, some(hints["dags"])) if hints["dags"] else "there is no DAG %s, nor any other" % flags.dag_id]
    if not runs:
        if not hints["recent_runs"]:
            return ["DAG %s has no runs yet" % flags.dag_id]
        recent = ["%s (%s)" % (run["run_id"], run["state"] or "no state") for run in hints["recent_runs"]]
        return ["DAG %s has no run %s; its last ones are %s; --list-runs lists more" % (flags.dag_id, flags.run_id, some(recent, 5))]
    archived = ["%d pickled values were moved to _xcom_archive when Airflow was upgraded to 3; they are not read" % hints["archived"]] if hints["archived"] else []
    if hints["map_indexes"] and flags.map_index is not None:
        return ["key %s has the map indexes %d to %d" % (flags.key, *hints["map_indexes"]), *archived]
    if not hints["instances"] and hints["incomplete"]:
        pushed = "pushed were " + some(hints["keys"]) if hints["keys"] else "nothing was pushed by such a task"
        return [pushed + "; states of tasks could not be told: the role may not read task_instance"]
    if not hints["instances"]:
        return [("run %s has no task %s" % (runs[0]["run_id"], flags.task_id or "")).rstrip() + ("; it has " + some(hints["task_ids"]) if hints["task_ids"] else ""), *archived]
    states = ["%s%s is %s" % (one["task_id"], "" if one["map_index"] < 0 else "[%d]" % one["map_index"], one["state"] or "not started") for one in hints["instances"]]
    if not hints["keys"]:
        return ["nothing was pushed: " + some(states, 5), *archived]
    return ["key %s was not pushed (%s); pushed were %s" % (flags.key, some(states, 3), some(hints["keys"])), *archived]


def render_table(head: List[str], rows: List[List[Any]]) -> str:
    """Columns for people."""
    cells = [head] + [["–" if cell is None or cell == "" else printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "".join("  ".join(cell if at == len(row) - 1 else cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() + "\n" for row in cells)


def render_cell(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return text if len(text) <= 100 else text[:99] + "…"


def render(result: Dict[str, Any], flags: argparse.Namespace) -> str:
    """What goes to standard output."""
    if flags.json:
        return json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    if flags.list_runs:
        return render_table(["RUN", "STATE", "TYPE", "STARTED", "ENDED"], [[run[name] for name in ("run_id", "state", "run_type", "start_date", "end_date")] for run in result["runs"]]) if result["runs"] else ""
    rows = [[xcom["task_id"] + ("" if xcom["map_index"] < 0 else "[%d]" % xcom["map_index"]), xcom["key"], xcom["encoding"], render_cell(xcom["value"])] for xcom in result["xcoms"]]
    return render_table(["TASK", "KEY", "KIND", "VALUE"], rows) if rows else ""


def remarks(result: Dict[str, Any], flags: argparse.Namespace) -> str:
    """What goes to standard error: where it came from, what was left out, why it may be empty."""
    lines = []
    if not flags.list_runs and not flags.json:
        run = result["runs"][0] if result["runs"] else None
        lines.append("%s%s · %s · schema %s" % (flags.dag_id, " · %s (%s)" % (run["run_id"], run["state"] or "no state") if run else "", result["source"]["target"], result["schema"]))
        lines += ["%s.%s %s" % (xcom["task_id"], xcom["key"], note) for xcom in result["xcoms"] for note in xcom["decodeNotes"] if re.search(r"ambiguous|damaged|neither|cut|\(not loaded\)", note)][:10]
        full = len(result["xcoms"]) >= flags.limit
        lines += ["there are more: raise --limit" if full else "there are more than one answer holds (16 MB): narrow --task-id, --map-index or --key"] if result["truncated"] else []
    if not flags.list_runs and not result["xcoms"]:
        lines.append("no XCom matched")
    return "".join(printable(line) + "\n" for line in lines + ["  → " + hint for hint in result["hints"]])
