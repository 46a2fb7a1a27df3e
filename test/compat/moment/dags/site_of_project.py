"""What the site is set to, read when this module is imported."""

from airflow.sdk import Variable

COLOUR = Variable.get("colour", default="none")
