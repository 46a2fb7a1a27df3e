"""Tests of the Python side; `python3 -m unittest discover -s python/tests -t python`."""

import logging

# Tasks that fail on purpose would otherwise print their tracebacks.
logging.getLogger().addHandler(logging.NullHandler())
