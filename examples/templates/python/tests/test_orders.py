"""Tests of the DAG, without a server: `leoflow pytest`."""

from leoflow.testing import load_dag

orders = load_dag("dags/orders.py")


def test_graph():
    assert orders.task_ids == ["extract", "add_up", "report", "announce"]
    assert orders.downstream_of("report") == {"announce"}


def test_one_task():
    result = orders.run_task("add_up", xcoms={"extract": [{"shop": "north", "orders": [1, 2]}]}, map_index=0)
    assert result.outcome == "success"
    assert result.value == 3


def test_whole_run():
    run = orders.run(params={"shops": ["a"]}, logical_date="2026-01-31")
    assert run.state == "success"
    assert run.values["announce"] == "2026-01-31 20 orders of 1 shops"
