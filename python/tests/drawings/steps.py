"""Functions that drawings of the tests name, beside DAGs whose tasks they may name as well."""

from airflow.sdk import DAG, task


def numbers(n: int = 3) -> list[int]:
    """Answers some numbers."""
    return list(range(n))


@task
def double(x) -> dict:
    return {"twice": 2 * x}


def choose(value=None):
    return "yes"


def there():
    return True


def told(context):
    pass


with DAG("steps_one"):

    @task
    def _unused():
        return 1

    def draw():
        @task
        def hidden():
            return "one"

        hidden()

    draw()

with DAG("steps_two"):
    draw()
    _unused.override(task_id="only")()
