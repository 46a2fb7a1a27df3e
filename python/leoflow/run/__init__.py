"""Runs one task instance in this process."""
