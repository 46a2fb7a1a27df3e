"""The reconciler: what tasks wrote down themselves against what the engine's tables say. Shares no code with the engine.

    python reconcile.py SCENE [--grace SECONDS] [--task-sdk]

SCENE holds `ledger` (lines of tasks), `driver` (lines of who asked for runs, changed them or killed processes), `dump.json` (rows), `shape.json` (what must come of
each DAG) and `logs/` (files of executions). Prints one JSON object; the exit status is 1 when anything contradicts.

R1 lost, R2 ghost, R3 duplicate, R4 false success, R5 false failure, R6 overlap, R7 order, R8 data, R9 zombie, R10 stuck,
R11 stale write, R12 pool.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import defaultdict

CODES = [f"R{number}" for number in range(1, 13)]
FINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
#: Clocks of the database and of tasks are read at different moments of one decision.
SLACK = 0.25
#: From the line that a task is about to end to its outcome on the disk: two writes, and its turn among some fifty processes on two cores. From then on a kill loses nothing.
LEAVES_OUTCOME = 0.3
#: A server may go on choosing a process for so long that was killed.
UNNOTICED = 1.0
#: What a person does is done, or refused, within this time.
ACTS = 5.0


def read_lines(path):
    """JSON objects, one a line. A last line that a kill cut short is no line."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().split("\n")[:-1] if line]


def digest(value):
    """SHA-256 of a value's canonical JSON, as tasks make it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Reconciler:
    """One scene's facts, and what contradicts."""

    #: Tasks ran under the Task SDK's supervisor.
    task_sdk = False

    def __init__(self, scene, grace):
        self.scene, self.grace = scene, grace
        self.found = []
        self.ledger = read_lines(os.path.join(scene, "ledger"))
        self.driver = read_lines(os.path.join(scene, "driver"))
        with open(os.path.join(scene, "dump.json"), encoding="utf-8") as file:
            self.dump = json.load(file)
        with open(os.path.join(scene, "shape.json"), encoding="utf-8") as file:
            shape = json.load(file)
        self.shape, self.pools = shape["dags"], shape["pools"]
        self.touched = {line["run"] for line in self.driver if line["kind"] == "action"}
        self.kills = [line for line in self.driver if line["kind"] == "killed"]
        self.actions = [line for line in self.driver if line["kind"] == "action"]
        self.asked = {(line["dag"], line["run"]) for line in self.driver if line["kind"] == "asked"}
        #: A killed process that had begun nothing was to run one execution, and no more.
        self.explained = {}
        self.runs = {run["id"]: run for run in self.dump["runs"]}
        self.attempts = {attempt["id"]: attempt for attempt in self.dump["attempts"]}
        self.executions = {execution["id"]: execution for execution in self.dump["executions"]}
        self.of_execution = defaultdict(list)
        for line in self.ledger:
            self.of_execution[line["execution"]].append(line)
        self.gaps = {event["execution_id"] for event in self.dump["events"] if "of its log are missing" in (event["detail"] or "")}
        self.starts = [line for line in self.ledger if line["phase"] == "START"]
        self.known_pids = {line["pid"] for line in self.starts} | {execution["pid"] for execution in self.executions.values()}
        self.histories = defaultdict(list)
        for event in sorted(self.dump["events"], key=lambda event: event["id"]):
            self.histories[event["run"], event["task_id"], event["map_index"]].append(event)
        self.by_instance = defaultdict(list)
        for line in self.starts:
            self.by_instance[line["run"], line["task"], line["map"]].append(line)

    def add(self, code, text):
        """One contradiction."""
        self.found.append({"code": code, "text": text})

    def line_of(self, execution, *phases):
        """The first line of these phases that an execution wrote, None when there is none."""
        return next((line for line in self.of_execution[execution] if line["phase"] in phases), None)

    def judge(self):
        """Everything."""
        self.judge_executions()
        self.judge_runs()
        for key, starts in self.by_instance.items():
            self.judge_starts(key, sorted(starts, key=lambda line: line["mono"]))
        self.judge_values()
        self.judge_epochs()
        self.judge_pools()
        for execution in {line["execution"] for line in self.starts}:
            self.judge_log(execution)

    # One execution

    def judge_executions(self):
        """Ghosts, duplicates, false outcomes and zombies."""
        for identifier, lines in self.of_execution.items():
            row = self.executions.get(identifier)
            attempt = self.attempts.get(row["attempt_id"]) if row else None
            run = self.runs.get(row["run"]) if row else None
            for line in lines:
                if attempt is None or run is None or (run["run_id"], run["dag_id"], attempt["task_id"], attempt["try_number"]) != (line["run"], line["dag"], line["task"], line["try"]):
                    self.add("R2", f"{line['phase']} of {line['run']}/{line['task']} try {line['try']} by {identifier}, which the engine does not know as that")
                    break
            if sum(line["phase"] == "START" for line in lines) > 1:
                self.add("R3", f"{identifier} started more than once")
        for row in self.executions.values():
            if row["state"] == "success" and self.line_of(row["id"], "FINISH") is None:
                self.add("R4", f"{row['id']} is a success without an end")
            self.judge_end(row, self.of_execution[row["id"]])

    def judge_end(self, row, lines):
        """An execution that wrote its end must not be told otherwise, a healthy one is not given up; one that was closed must be silent."""
        finish = self.line_of(row["id"], "FINISH")
        name = f"{row['id']} ({finish['run']}/{finish['task']})" if finish else row["id"]
        if not row["ended"]:
            self.add("R10", f"{name} is not closed: {row['state']}")
        elif not self.may_be(row, finish):
            self.add("R5", f"{name} {'finished and ' if finish else ''}is {row['state']} ({row['cause']}) for no reason")
        if row["ended_at"] is not None:
            late = max((line["wall"] for line in lines), default=0) - row["ended_at"]
            if late > self.grace:
                self.add("R9", f"{row['id']} acted {late:.2f} s after it was closed as {row['state']}")

    def may_be(self, row, finish):
        """Whether an execution may have ended as its row says."""
        # The last of too many losses is a failure.
        if row["state"] == "lost" or row["cause"] == "lost":
            return self.was_killed(row) or self.never_left(row)
        if row["state"] == "cancelled":
            return any(self.names(action, row) for action in self.actions)
        if finish is not None or row["state"] != "failed":
            return row["state"] == "success"
        start, end = self.line_of(row["id"], "START"), self.line_of(row["id"], "RAISE")
        if start is None:
            # A value that a person's action left away is missed before anything begins.
            return row["cause"] == "user_error" and self.runs[row["run"]]["run_id"] in self.touched
        return end is not None and row["cause"] == self.task_of(start).get("cause")

    def names(self, action, row):
        """Whether a person's action ended an execution: it names the run, and the task and map index unless it is about more."""
        attempt = self.attempts[row["attempt_id"]]
        at = row["ended_at"]
        return (
            action["run"] == self.runs[row["run"]]["run_id"] and action.get("task", attempt["task_id"]) == attempt["task_id"] and action.get("map", attempt["map_index"]) == attempt["map_index"]
            and at is not None and action["at"] - SLACK <= at <= action["at"] + ACTS)

    def was_killed(self, row):
        """True when its own process, or the fork server above it, was killed while it ran; some tasks do it themselves."""
        start, left = self.line_of(row["id"], "START"), self.left(row["id"])
        if start is not None and left is None and self.task_of(start).get("dies", False):
            return True
        return any(self.met(kill, row, start, left) for kill in self.kills if row["ended_at"] is None or kill["at"] <= row["ended_at"] + SLACK)

    def left(self, execution):
        """The line after which an execution leaves its outcome on the disk, None when there is none: a result, or an exception that it reports."""
        return next((line for line in self.of_execution[execution] if line["phase"] == "FINISH" or line.get("leaves", False)), None)

    def met(self, kill, row, start, left):
        """Whether a kill met an execution."""
        if start is not None:
            # With a fork server die those of its children, too, that were forked after the stage had looked: it is stopped first, and killed later.
            is_own = start["pid"] in kill["pids"] or start["parent"] in kill["pids"] or any(row["handle"].endswith(name) for name in kill["fork_servers"])
            return is_own and start["wall"] <= kill["at"] + SLACK and (left is None or kill["at"] <= left["wall"] + LEAVES_OUTCOME)
        if kill["at"] < row["started_at"] - UNNOTICED:
            return False
        # It had not begun: it was on its way to a fork server, to a process that waited there, or to one that was just forked for it.
        if row["pid"] in kill["pids"] or any(row["handle"].endswith(name) for name in kill["fork_servers"]):
            return True
        was_forked = row["pid"] is None and kill["child_of"] is not None and row["handle"].endswith(kill["child_of"]) and self.known_pids.isdisjoint(kill["pids"])
        return was_forked and self.explained.setdefault(kill["pids"][0], row["id"]) == row["id"]

    def never_left(self, row):
        """True when it was committed by a leader that then lost its place, and never began: whoever led next found nothing."""
        attempt = self.attempts[row["attempt_id"]]
        history = self.histories[row["run"], attempt["task_id"], attempt["map_index"]]
        for event, following in zip(history, history[1:]):
            if event["execution_id"] == row["id"] and event["to_state"] == "running":
                return self.line_of(row["id"], "START") is None and following["epoch"] is not None and following["epoch"] > event["epoch"]
        return False

    def task_of(self, line):
        """What must come of the task that wrote a line."""
        return self.shape.get(line["dag"], {"tasks": {}})["tasks"].get(line["task"], {})

    # All executions of one instance

    def judge_starts(self, key, starts):
        """No try runs twice unless the process of the first was killed, and none before the one before it is over."""
        for earlier, later in zip(starts, starts[1:]):
            if earlier["execution"] == later["execution"]:
                continue
            row = self.executions.get(earlier["execution"])
            if row is None:
                continue
            name = "/".join(map(str, key))
            excused = row["state"] in ("lost", "cancelled") and self.may_be(row, None)
            if earlier["try"] == later["try"] and not excused:
                self.add("R3", f"try {later['try']} of {name} started twice: {earlier['execution']} ({row['state']}, {row['cause']}) and {later['execution']}")
            last = max(line["mono"] for line in self.of_execution[earlier["execution"]])
            if last > later["mono"]:
                self.add("R6", f"{name}: {earlier['execution']} ({row['state']}) still acted {last - later['mono']:.2f} s after {later['execution']} had started")
            elif row["ended_at"] is None or row["ended_at"] > later["wall"] + SLACK:
                self.add("R6", f"{name}: {later['execution']} started before {earlier['execution']} was closed")

    # Runs

    def judge_runs(self):
        """Every run asked for is there, is over, and came out as it had to."""
        known = {(run["dag_id"], run["run_id"]): run for run in self.runs.values()}
        instances = defaultdict(list)
        for instance in self.dump["instances"]:
            instances[instance["run"]].append(instance)
        for line in self.driver:
            if line["kind"] == "created" and (line["dag"], line["run"]) not in known:
                self.add("R1", f"run {line['run']} of {line['dag']} was accepted and is gone")
        for run in self.runs.values():
            if (run["dag_id"], run["run_id"]) not in self.asked:
                self.add("R2", f"nobody asked for run {run['run_id']} of {run['dag_id']}")
            if run["state"] not in ("success", "failed"):
                self.add("R10", f"run {run['run_id']} of {run['dag_id']} is {run['state']}")
                continue
            for instance in instances[run["id"]]:
                if instance["state"] not in FINAL:
                    self.add("R10", f"{run['run_id']}/{instance['task_id']}/{instance['map_index']} is {instance['state']} in a run that is over")
            if run["run_id"] not in self.touched and run["dag_id"] in self.shape:
                self.judge_run(run, instances[run["id"]])

    def judge_run(self, run, instances):
        """A run that nobody touched has one right outcome."""
        shape = self.shape[run["dag_id"]]
        if run["state"] != shape["run"]:
            self.add("R5" if shape["run"] == "success" else "R4", f"run {run['run_id']} is {run['state']}, not {shape['run']}")
        by_task = defaultdict(list)
        for instance in instances:
            by_task[instance["task_id"]].append(instance)
        for task, wanted in shape["tasks"].items():
            count = wanted.get("mapped", 1)
            if len(by_task[task]) != count:
                self.add("R1", f"{run['run_id']}/{task} has {len(by_task[task])} instances, not {count}")
            for instance in by_task[task]:
                self.judge_instance(run, instance, wanted)
            if "rule" in wanted or "upstream" in wanted:
                self.judge_order(run, task, wanted)

    def judge_instance(self, run, instance, wanted):
        """State, tries and starts of one instance."""
        name = f"{run['run_id']}/{instance['task_id']}/{instance['map_index']}"
        state, tries = wanted.get("state", "success"), wanted.get("tries", 1)
        if "starts" in wanted and instance["cause"] != wanted.get("cause"):
            self.add("R5", f"{name} failed by {instance['cause']}, not {wanted.get('cause')}")
        if instance["state"] != state:
            self.add("R4" if instance["state"] == "success" else "R5", f"{name} is {instance['state']}, not {state} ({instance['cause']}: {instance['reason']})")
        elif instance["try_number"] != tries:
            self.add("R5", f"{name} took {instance['try_number']} tries, not {tries}")
        started = {line["try"] for line in self.by_instance[run["run_id"], instance["task_id"], instance["map_index"]]}
        for number in range(1, wanted.get("starts", tries) + 1):
            if number not in started:
                self.add("R1", f"{name}: try {number} never started")
        if instance["state"] == "success":
            finish = self.line_of(instance["execution_id"], "FINISH")
            if finish is None or (finish["run"], finish["task"], finish["map"]) != (run["run_id"], instance["task_id"], instance["map_index"]):
                self.add("R4", f"{name} is a success that no task of it wrote down")

    def ends_before(self, run, task, at):
        """Instances of a task that ended for good by then: (successes, failures, how many there must be)."""
        wanted = self.shape[run["dag_id"]]["tasks"][task]
        finished, failed = set(), set()
        for index in range(wanted["mapped"]) if "mapped" in wanted else [-1]:
            for line in self.by_instance[run["run_id"], task, index]:
                for other in self.of_execution[line["execution"]]:
                    if other["mono"] <= at and other["phase"] == "FINISH":
                        finished.add(index)
                    if other["mono"] <= at and other["phase"] == "RAISE" and other["try"] == wanted.get("tries", 1):
                        failed.add(index)
        return finished, failed, wanted.get("mapped", 1)

    def judge_order(self, run, task, wanted):
        """No start before its trigger rule allows it."""
        rule = wanted.get("rule", "all_success")
        for index in range(wanted["mapped"]) if "mapped" in wanted else [-1]:
            for start in self.by_instance[run["run_id"], task, index]:
                ends = [self.ends_before(run, upstream, start["mono"]) for upstream in wanted["upstream"]]
                good = all(len(finished) == count for finished, _, count in ends)
                bad = any(failed for _, failed, _ in ends)
                done = all(
                    len(finished | failed) == count or self.shape[run["dag_id"]]["tasks"][upstream].get("tries", 1) == 0
                    for upstream, (finished, failed, count) in zip(wanted["upstream"], ends))
                if not {"all_success": good, "one_failed": bad, "all_done": done}[rule]:
                    self.add("R7", f"{run['run_id']}/{task}/{index} started before {rule} of {', '.join(wanted['upstream'])} held")

    # Values and logs

    def judge_values(self):
        """What a success returned is stored as it was, and what a task was given is what its upstream returned."""
        stored = {(row["run"], row["task_id"], row["map_index"]): row for row in self.dump["xcoms"] if row["key"] == "return_value"}
        counted = {}
        for instance in self.dump["instances"]:
            run = self.runs.get(instance["run"])
            finish = self.line_of(instance["execution_id"], "FINISH") if instance["execution_id"] else None
            if run is None or instance["state"] != "success" or finish is None:
                continue
            name = f"{run['run_id']}/{instance['task_id']}/{instance['map_index']}"
            counted[run["run_id"], instance["task_id"], instance["map_index"]] = finish["sha"]
            row = stored.get((instance["run"], instance["task_id"], instance["map_index"]))
            if row is None:
                self.add("R8", f"the value of {name} is gone")
            elif hashlib.sha256(row["value"].encode()).hexdigest() != row["sha256"] or digest(json.loads(row["value"])) != finish["sha"]:
                self.add("R8", f"the value of {name} is not what it returned")
        for line in self.starts:
            wanted = self.task_of(line)
            if line["run"] in self.touched or not ("inputs" in wanted or "item" in wanted):
                continue
            if "item" in wanted:
                due = [digest(f"{line['run']}/{wanted['item']}/{line['map']}")]
            else:
                due = [counted.get((line["run"], task, index)) for task in wanted["inputs"] for index in self.indexes(line["dag"], task)]
            if line["got"] != due:
                self.add("R8", f"{line['run']}/{line['task']}/{line['map']} was given other values than its upstreams returned")

    def indexes(self, dag, task):
        """Map indexes of a task."""
        wanted = self.shape[dag]["tasks"][task]
        return range(wanted["mapped"]) if "mapped" in wanted else [-1]

    def judge_log(self, execution):
        """Numbered lines are complete and in order, or a marker says what is missing."""
        end = self.line_of(execution, "FINISH", "RAISE")
        path = os.path.join(self.scene, "logs", execution[-2:], f"{execution}.ndjson")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        numbers = []
        for line in text.split("\n"):
            try:
                words = str(json.loads(line)["event"]).split(" ")
            except (ValueError, KeyError, TypeError):
                continue
            if len(words) == 3 and words[0] == "L" and words[2] == hashlib.sha256(f"{execution}:{words[1]}".encode()).hexdigest()[:12]:
                numbers.append(int(words[1]))
        marked = "bytes of this log are missing" in text or execution in self.gaps
        if numbers != sorted(set(numbers)):
            self.add("R8", f"the log of {execution} is out of order: {numbers}")
        elif self.task_sdk and self.executions.get(execution, {}).get("state") == "lost":
            # Its supervisor writes the log, and what a killed one held is gone with it.
            return
        elif not marked and (numbers != list(range(1, len(numbers) + 1)) or (end is not None and len(numbers) != end["lines"])):
            self.add("R8", f"the log of {execution} lacks lines without saying so: {numbers} of {end and end['lines']}")

    # The whole

    def judge_epochs(self):
        """Nothing was written by a leader after its successor had written."""
        highest = 0
        for event in sorted(self.dump["events"], key=lambda event: event["id"]):
            if event["epoch"] is None:
                continue
            if event["epoch"] < highest:
                self.add("R11", f"epoch {event['epoch']} wrote event {event['id']} after epoch {highest}")
            highest = max(highest, event["epoch"])

    def judge_pools(self):
        """Never more at once than a pool has slots. Only executions that wrote their end count."""
        edges = defaultdict(list)
        for start in self.starts:
            pool = self.task_of(start).get("pool")
            end = self.line_of(start["execution"], "FINISH", "RAISE")
            if pool is not None and end is not None:
                edges[pool] += [(start["mono"], 1), (end["mono"], -1)]
        for pool, moments in edges.items():
            held = most = 0
            for _, step in sorted(moments):
                held += step
                most = max(most, held)
            if most > self.pools[pool]:
                self.add("R12", f"{most} tasks held the {self.pools[pool]} slots of {pool} at once")


def main():
    """Judge one scene."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scene")
    parser.add_argument("--grace", type=float, default=3.0, help="seconds that a closed execution may take to end")
    parser.add_argument("--task-sdk", action="store_true", help="tasks ran under the Task SDK's supervisor")
    args = parser.parse_args()
    reconciler = Reconciler(args.scene, args.grace)
    reconciler.task_sdk = args.task_sdk
    reconciler.judge()
    counts = {code: sum(one["code"] == code for one in reconciler.found) for code in CODES}
    finishes = sum(line["phase"] == "FINISH" for line in reconciler.ledger)
    print(json.dumps({"starts": len(reconciler.starts), "finishes": finishes, "executions": len(reconciler.executions), "counts": counts, "violations": reconciler.found[:200]}))
    sys.exit(1 if reconciler.found else 0)


if __name__ == "__main__":
    main()
