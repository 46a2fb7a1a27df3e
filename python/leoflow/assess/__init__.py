"""Says what an existing folder of Airflow DAG files would need, by reading their imports. Runs none of them."""
