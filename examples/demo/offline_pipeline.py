"""Extract, transform, load with the TaskFlow API: what the demo runs when the Airflow wheel cannot be downloaded."""

from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"])
def offline_pipeline():
    @task
    def extract():
        return {"a": 3, "b": 4}

    @task(multiple_outputs=True)
    def transform(orders: dict):
        return {"total": sum(orders.values()), "count": len(orders)}

    @task
    def load(total: int):
        print(f"total is {total}")

    load(transform(extract())["total"])


offline_pipeline()
