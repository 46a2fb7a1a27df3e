"""Makes `import airflow` mean Leoflow's structural shim in this process."""
