"""Tests of the functions and of the DAG, without a server: `leoflow pytest`."""

from leoflow.testing import load_dag

from orders_tasks import add_up

orders = load_dag("dags/orders.yaml")


def test_function():
    assert add_up({"shop": "north", "orders": [1, 2]}) == 3


def test_graph():
    assert orders.task_ids == ["extract", "add_up", "report", "announce"]
    assert orders.downstream_of("report") == {"announce"}


def test_whole_run():
    run = orders.run(params={"shops": ["a"]}, logical_date="2026-01-31")
    assert run.state == "success"
    assert run.values["announce"] == "2026-01-31 20 orders of 1 shops"
