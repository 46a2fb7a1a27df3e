"""Records what Airflow's own TriggerRuleDep says for every trigger rule and every small multiset of upstream states.

Real DAGs, operators, task instances and dependency contexts are used; only the database session is a stand-in, because
task instances without mapping need none. A verdict is one letter: r runs, w waits, s/u/x sets skipped/upstream_failed/removed.
"""

from __future__ import annotations

import airflow_oracle  # noqa: I001  (sets the environment before Airflow is imported)

import datetime
import itertools

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.task.trigger_rule import TriggerRule
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.deps.trigger_rule_dep import TriggerRuleDep
from airflow.utils.state import State

STATES = [None, "running", "success", "failed", "skipped", "upstream_failed", "removed"]
SETUP_STATES = [None, "success", "failed", "skipped", "upstream_failed", "removed"]
MAP_INDEXES = [-1, 0, 1, 3]
LETTERS = {"skipped": "s", "upstream_failed": "u", "removed": "x"}
MAX_UPSTREAM = 4


class NoSession:
    """Accepts the writes of TaskInstance.set_state and fails on anything else."""

    def __contains__(self, _item: object) -> bool:
        return True

    def merge(self, _item: object) -> None: ...

    def flush(self) -> None: ...


def build(rule: str, setups: tuple[bool, ...], teardown: bool):
    """A DAG with one upstream per flag (true: a setup task) and the task under test."""
    with DAG("oracle", schedule=None, start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)) as dag:
        target = EmptyOperator(task_id="target", trigger_rule=rule)
        for number, is_setup in enumerate(setups):
            upstream = EmptyOperator(task_id=f"up{number}")
            if is_setup:
                upstream.as_setup()
            upstream >> target
        if teardown:
            target.as_teardown()
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def verdict(dag, states: tuple, map_index: int) -> str:
    """What TriggerRuleDep decides for the task under test: the state it sets, else whether it passes."""
    run = DagRun(dag_id="oracle", run_id="r", run_type="manual")

    def instance(task_id: str, state: str | None, index: int = -1) -> TaskInstance:
        ti = TaskInstance(task=dag.get_task(task_id), dag_version_id=None, run_id="r", state=state, map_index=index)
        ti.dag_run = run
        return ti

    target = instance("target", None, map_index)
    upstream = [instance(f"up{number}", state) for number, state in enumerate(states)]
    context = DepContext(flag_upstream_failed=True, finished_tis=[ti for ti in upstream if ti.state in State.finished])
    statuses = list(TriggerRuleDep()._get_dep_statuses(target, NoSession(), context))
    if target.state is not None:
        return LETTERS[target.state]
    return "r" if all(status.passed for status in statuses) else "w"


def multisets(alphabet: list) -> list[tuple]:
    """Every multiset of up to MAX_UPSTREAM members, in the order the reader rebuilds: by size, then lexicographic."""
    sizes = range(MAX_UPSTREAM + 1)
    return [combo for size in sizes for combo in itertools.combinations_with_replacement(alphabet, size)]


def main() -> None:
    rows = []
    for rule in sorted(TriggerRule.all_triggers()):
        dags = [build(rule, (False,) * size, rule == "all_done_setup_success") for size in range(MAX_UPSTREAM + 1)]
        for index in MAP_INDEXES:
            said = "".join(verdict(dags[len(states)], states, index) for states in multisets(STATES))
            rows.append({"rule": rule, "mapIndex": index, "verdicts": said})
    members = [(state, is_setup) for state in SETUP_STATES for is_setup in (False, True)]
    dags_by_flags: dict[tuple[bool, ...], object] = {}
    for index in (-1, 0):
        said = ""
        for combo in multisets(members):
            flags = tuple(flag for _, flag in combo)
            if flags not in dags_by_flags:
                dags_by_flags[flags] = build("all_done_setup_success", flags, True)
            said += verdict(dags_by_flags[flags], tuple(state for state, _ in combo), index)
        rows.append({"rule": "all_done_setup_success", "mapIndex": index, "withSetups": True, "verdicts": said})
    head = {
        "versions": airflow_oracle.versions("apache-airflow-core"),
        "maxUpstream": MAX_UPSTREAM,
        "states": STATES,
        "setupStates": SETUP_STATES,
    }
    airflow_oracle.write("trigger-rules.json", head, rows)


if __name__ == "__main__":
    main()
