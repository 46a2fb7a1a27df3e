"""Fixture: wrong syntax."""

def f(:
    pass
