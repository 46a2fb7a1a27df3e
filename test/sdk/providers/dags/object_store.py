"""S3 and what is moved to and from it: operators, transfers between providers, a deferred sensor, a hook."""

import os

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.s3 import (
    S3CopyObjectOperator, S3CreateBucketOperator, S3CreateObjectOperator, S3DeleteObjectsOperator, S3ListOperator, S3ReadObjectOperator,
)
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator
from airflow.providers.amazon.aws.transfers.local_to_s3 import LocalFilesystemToS3Operator
from airflow.providers.amazon.aws.transfers.s3_to_ftp import S3ToFTPOperator
from airflow.sdk import DAG, task

from waiting import is_deferred

FOLDER = os.environ["PROVIDERS_FOLDER"]

with DAG("s3", schedule=None, default_args={"aws_conn_id": "lake"}):
    bucket = S3CreateBucketOperator(task_id="bucket", bucket_name="lake")
    arrives = S3KeySensor(task_id="arrives", bucket_name="lake", bucket_key="raw/*.txt", wildcard_match=True, deferrable=True, poke_interval=0.5, timeout=60)
    create = S3CreateObjectOperator(task_id="create", s3_bucket="lake", s3_key="raw/a.txt", data="made by {{ run_id }}")
    read = S3ReadObjectOperator(task_id="read", s3_bucket="lake", s3_key="raw/a.txt")
    copy = S3CopyObjectOperator(task_id="copy", source_bucket_name="lake", source_bucket_key="raw/a.txt", dest_bucket_name="lake", dest_bucket_key="kept/a.txt")
    upload = LocalFilesystemToS3Operator(task_id="upload", filename=__file__, dest_bucket="lake", dest_key="raw/self.py")
    web = HttpToS3Operator(task_id="web", http_conn_id="shop", endpoint="greeting/s3", s3_bucket="lake", s3_key="web.json")
    listing = S3ListOperator(task_id="listing", bucket="lake", prefix="raw/")
    to_ftp = S3ToFTPOperator(task_id="to_ftp", s3_bucket="lake", s3_key="kept/a.txt", ftp_path="/from_s3.txt", ftp_conn_id="dropbox")
    delete = S3DeleteObjectsOperator(task_id="delete", bucket="lake", prefix="raw/")

    @task
    def by_hook():
        """A hook in a task of one's own."""
        return sorted(S3Hook("lake").list_keys("lake"))

    bucket >> [arrives, web, upload]
    is_deferred("arrives") >> create >> copy >> to_ftp
    [arrives, copy, upload, web] >> listing >> delete >> by_hook()
    arrives >> read >> delete
