"""Fixture: names the shim has not."""

from airflow.providers.standard.operators.python import PythonOperator, PythonVirtualenvOperator
