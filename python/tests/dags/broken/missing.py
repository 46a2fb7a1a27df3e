"""Fixture: a module nobody has."""

import not_there_at_all
