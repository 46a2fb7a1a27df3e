"""Fixture: an operator of the project's own."""

from airflow.sdk import BaseOperator


class Twice(BaseOperator):
    def __init__(self, *, value, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context):
        return self.value * 2
