"""Orders: what each shop sold is added up once a day."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Param, dag, task


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), tags=["example"], params={"shops": Param(["north", "south"], type="array")})
def orders():
    @task(retries=2, retry_delay=timedelta(seconds=10))
    def extract(params: dict) -> list[dict]:
        # One entry per shop. A real one would ask a database or an API.
        print("shops:", ", ".join(params["shops"]))
        return [{"shop": shop, "orders": [len(shop), 7, 12]} for shop in params["shops"]]

    # Mapped below: runs once per shop.
    @task
    def add_up(shop: dict) -> int:
        return sum(shop["orders"])

    @task
    def report(totals: list[int]) -> str:
        return f"{sum(totals)} orders of {len(totals)} shops"

    report(add_up.expand(shop=extract())) >> BashOperator(
        task_id="announce", bash_command="echo '{{ ds }} {{ ti.xcom_pull(task_ids=\"report\") }}'"
    )


orders()
