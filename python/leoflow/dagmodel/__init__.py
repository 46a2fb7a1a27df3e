"""The objects behind the `airflow` import names: DAGs, tasks, groups, arguments, and the operators that Leoflow runs itself."""
