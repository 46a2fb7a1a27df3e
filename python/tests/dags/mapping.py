"""Fixture: expand, partial, expand_kwargs, map, zip, concat, mapped classic operators and mapped groups."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task, task_group

with DAG("mapping"):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def words():
        return ["a", "b"]

    @task(map_index_template="{{ task.op_kwargs['x'] }}")
    def times(x, y):
        return x * y

    @task
    def total(values):
        return sum(values)

    @task
    def rows():
        return [{"x": 1, "y": 2}, {"x": 3, "y": 4}]

    @task
    def show(pair):
        return pair

    n = numbers()
    products = times.expand(x=n, y=[10, 100])
    total(products)
    times.override(task_id="from_rows", map_index_template=None).expand_kwargs(rows())
    times.override(task_id="partly").partial(y=2).expand(x=n)
    show.override(task_id="zipped").expand(pair=n.zip(words(), fillvalue="-"))
    show.override(task_id="concat").expand(pair=n.concat(n).map(lambda v: v + 1))
    show.override(task_id="from_dict").expand(pair={"k": "v", "l": "w"})
    BashOperator.partial(task_id="echo", env={"X": "{{ ds }}"}).expand(bash_command=["echo one $X", "echo two"])

    @task_group
    def section(v, label):
        @task
        def up(value):
            return f"{value}-{label_of}"

        label_of = "fixed"

        @task
        def down(value, name):
            return f"{value}/{name}"

        return down(up(v), label)

    gathered = section.partial(label="L").expand(v=n)

    @task
    def gather(values):
        return list(values)

    gather(gathered)
