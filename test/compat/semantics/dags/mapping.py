"""Dynamic mapping: where the values come from, and in which order the indexes are."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException


@task
def show(**given):
    return given


@task
def numbers():
    return [1, 2, 3]


@task
def letters():
    return ["x", "y"]


@task(trigger_rule="all_done")
def collect(values):
    return sorted(str(value) for value in values)


def returns(value, name="source"):
    return task(task_id=name)(lambda: value)()


with DAG("map_literal", schedule=None):
    @task
    def double(x):
        return x * 2

    @task
    def total(values):
        return sum(values)

    total(double.expand(x=[1, 2, 3]))

with DAG("map_pushed_list", schedule=None):
    @task
    def double(x):
        return x * 2

    double.expand(x=numbers())

with DAG("map_cross_product", schedule=None):
    @task
    def pair(a, b, c):
        return f"{a}{b}{c}"

    pair.partial(c="!").expand(a=[1, 2, 3], b=["x", "y"])

with DAG("map_cross_product_of_pushed", schedule=None):
    @task
    def pair(a, b):
        return f"{a}{b}"

    pair.expand(a=numbers(), b=letters())

with DAG("map_literal_dict", schedule=None):
    @task
    def entry(item):
        return list(item)

    entry.expand(item={"k": 1, "l": 2})

with DAG("map_pushed_dict", schedule=None):
    @task
    def entry(item):
        return list(item)

    entry.expand(item=returns({"k": 1, "l": 2}))

with DAG("map_kwargs_literal", schedule=None):
    @task
    def both(a, b="default"):
        return f"{a}{b}"

    both.expand_kwargs([{"a": 1}, {"a": 2, "b": "given"}])

with DAG("map_kwargs_pushed", schedule=None):
    @task
    def both(a, b):
        return f"{a}{b}"

    both.partial(b="partial").expand_kwargs(returns([{"a": 1}, {"a": 2}]))

with DAG("map_zip", schedule=None):
    @task
    def pair(both):
        return list(both)

    pair.override(task_id="shortest").expand(both=numbers().zip(letters()))
    pair.override(task_id="longest").expand(both=numbers.override(task_id="n2")().zip(letters.override(task_id="l2")(), fillvalue="-"))

with DAG("map_transformed", schedule=None):
    @task
    def plain(x):
        return x

    plain.expand(x=numbers().map(lambda x: x * 10).map(lambda x: x + 1))

with DAG("map_transformed_with_skip", schedule=None):
    def even_only(x):
        if x % 2:
            raise AirflowSkipException("odd")
        return x

    @task
    def plain(x):
        return x

    collect(plain.expand(x=numbers().map(even_only)))

with DAG("map_concat", schedule=None):
    @task
    def plain(x):
        return x

    plain.expand(x=numbers().concat(letters()))

with DAG("map_of_map", schedule=None):
    @task
    def double(x):
        return x * 2

    @task
    def increase(x):
        return x + 1

    increase.expand(x=double.expand(x=numbers()))

with DAG("map_of_map_with_failure", schedule=None):
    @task
    def picky(x):
        if x == 2:
            raise ValueError("by design")
        return x

    @task
    def plain(x):
        return x

    mapped = picky.expand(x=[1, 2, 3])
    plain.expand(x=mapped)
    plain.override(task_id="all_done", trigger_rule="all_done").expand(x=mapped)

with DAG("map_of_map_with_skip", schedule=None):
    @task
    def picky(x):
        if x == 2:
            raise AirflowSkipException("by design")
        return x

    @task
    def plain(x):
        return x

    mapped = picky.expand(x=[1, 2, 3])
    plain.expand(x=mapped)
    plain.override(task_id="none_failed", trigger_rule="none_failed").expand(x=mapped)

with DAG("map_of_map_with_none", schedule=None):
    @task
    def picky(x):
        return None if x == 2 else x

    @task
    def plain(x):
        return x

    plain.expand(x=picky.expand(x=[1, 2, 3]))

with DAG("map_same_source_twice", schedule=None):
    @task
    def pair(a, b):
        return f"{a}{b}"

    source = letters()
    pair.expand(a=source, b=source)

with DAG("map_classic_operators", schedule=None):
    PythonOperator.partial(task_id="args", python_callable=lambda a, b: f"{a}{b}").expand(op_args=[[1, 2], [3, 4]])
    PythonOperator.partial(task_id="kwargs", python_callable=lambda a, b: f"{a}{b}").expand(op_kwargs=[{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    BashOperator.partial(task_id="bash").expand(bash_command=["echo {{ 1 + 1 }}", "exit 99", "echo c"])

with DAG("map_index_names", schedule=None):
    @task(map_index_template="{{ name }}")
    def named(x):
        get_current_context()["name"] = f"number {x}"

    @task(map_index_template="{{ task.op_kwargs['x'] }}!")
    def by_argument(x):
        pass

    named.expand(x=[1, 2])
    by_argument.expand(x=[1, 2])

with DAG("map_with_templates", schedule=None):
    @task
    def plain(x, y):
        return [x, y]

    plain.partial(y="{{ ti.map_index }}").expand(x=["{{ 1 + 1 }}", "b"])

with DAG("map_collects_in_order", schedule=None):
    @task
    def reverse(x):
        import time

        time.sleep((3 - x) / 10)
        return x

    @task
    def listed(values):
        return [list(values), len(values), values[1]]

    listed(reverse.expand(x=[1, 2, 3]))
