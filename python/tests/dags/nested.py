"""Fixture: mapped groups inside mapped groups, groups in groups, names that collide."""

from airflow.sdk import DAG, TaskGroup, task, task_group

with DAG("nested") as dag:

    @task
    def outer_values():
        return ["a", "b"]

    @task_group
    def outer(o):
        @task
        def head(value):
            return f"<{value}>"

        first = head(o)

        @task_group
        def inner(i):
            @task
            def leaf(number, up, above):
                return f"{number}{up}{above}"

            @task
            def after(value):
                return value + "!"

            return after(leaf(i, first, o))

        @task
        def collect(values):
            return values

        collect(inner.expand(i=[1, 2, 3]))

    outer.expand(o=outer_values())

    with TaskGroup("g", default_args={"retries": 4}) as g:

        @task
        def same():
            return 1

        same()
        same()
        with TaskGroup("deep", prefix_group_id=False):
            same.override(task_id="free")()

    @task_group(group_id="again")
    def again():
        same()

    again() >> again()
