"""Turns a DAG file into dag.json, by running it against the shim."""
