"""SQL on PostgreSQL and SQLite, and Redis: operators, checks, sensors, hooks, and a deferred transfer between the two."""

from datetime import timedelta

from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer
from airflow.providers.common.sql.operators.sql import (
    BranchSQLOperator, SQLColumnCheckOperator, SQLExecuteQueryOperator, SQLInsertRowsOperator, SQLTableCheckOperator,
)
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.redis.hooks.redis import RedisHook
from airflow.providers.redis.operators.redis_publish import RedisPublishOperator
from airflow.providers.redis.sensors.redis_key import RedisKeySensor
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

with DAG("databases", schedule=None, params={"item": "chair"}):
    create = SQLExecuteQueryOperator(
        task_id="create", conn_id="warehouse", autocommit=True, split_statements=True,
        sql="create table orders (id int primary key, item text not null, paid numeric); insert into orders values (1, '{{ params.item }}', 9.5);")
    insert = SQLInsertRowsOperator(task_id="insert", conn_id="warehouse", table_name="orders", columns=["id", "item", "paid"], rows=[(2, "table", 20), (3, "lamp", 7)])
    check_columns = SQLColumnCheckOperator(
        task_id="check_columns", conn_id="warehouse", table="orders",
        column_mapping={"id": {"unique_check": {"equal_to": 0}, "min": {"geq_to": 1}}, "paid": {"max": {"leq_to": 20}}})
    check_table = SQLTableCheckOperator(task_id="check_table", conn_id="warehouse", table="orders", checks={"three_rows": {"check_statement": "count(*) = 3"}})
    wait_row = SqlSensor(task_id="wait_row", conn_id="warehouse", sql="select count(*) >= 3 from orders", poke_interval=0.2, mode="reschedule", timeout=60)
    select = SQLExecuteQueryOperator(task_id="select", conn_id="warehouse", sql="select id, item from orders where paid > %(least)s order by id", parameters={"least": 8})
    choose = BranchSQLOperator(task_id="choose", conn_id="warehouse", sql="select count(*) = 3 from orders", follow_task_ids_if_true=["hook"], follow_task_ids_if_false=["never"])
    never = EmptyOperator(task_id="never")

    @task
    def hook():
        """A hook in a task of one's own, which also prints what must not be in the log."""
        postgres = PostgresHook(postgres_conn_id="warehouse")
        print("the password is", postgres.get_connection("warehouse").password)
        postgres.run("update orders set paid = paid + 1 where id = 3")
        return postgres.get_first("select sum(paid)::float from orders")[0]

    make_copy = SQLExecuteQueryOperator(task_id="make_copy", conn_id="shelf", sql="create table copied (id int, item text)")
    transfer = GenericTransfer(
        task_id="transfer", source_conn_id="warehouse", destination_conn_id="shelf", destination_table="copied",
        sql="select id, item from orders order by id", page_size=2, deferrable=True, paginated_sql_statement_clause="{} limit {} offset {}")
    count_copy = SQLExecuteQueryOperator(task_id="count_copy", conn_id="shelf", sql="select count(*) from copied")

    create >> insert >> wait_row >> [check_columns, check_table, select] >> choose >> [hook(), never]
    insert >> make_copy >> transfer >> count_copy

with DAG("redis", schedule=None):
    @task
    def remember():
        """Write by the hook."""
        RedisHook(redis_conn_id="cache").get_conn().set("stock", "42", ex=timedelta(minutes=5))

    wait_key = RedisKeySensor(task_id="wait_key", redis_conn_id="cache", key="stock", poke_interval=0.1, timeout=60)
    publish = RedisPublishOperator(task_id="publish", redis_conn_id="cache", channel="news", message="{{ run_id }} has stock")
    remember() >> wait_key >> publish
