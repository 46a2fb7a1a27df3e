"""Fixture: raises at import."""

print("on stdout")


def f():
    return 1 / 0


f()
