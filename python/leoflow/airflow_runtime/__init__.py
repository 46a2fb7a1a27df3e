"""Runs DAG files of Apache Airflow with the project's own Task SDK; imports it, and nothing of the shim."""
