"""Fixture: a module the shim has not."""

import os
from airflow.providers.amazon.aws.operators.s3 import S3ListOperator
