"""Fixture: a package beside the DAG files."""
