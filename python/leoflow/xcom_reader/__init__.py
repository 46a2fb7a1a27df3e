"""Reads XComs of an Airflow that cannot be reached: the probe that runs beside its database, its static guard, a decoder that runs nothing, and a driver in one file."""
