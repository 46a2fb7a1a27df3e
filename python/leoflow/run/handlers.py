"""Signal handlers, set without the enum conversions of the `signal` module: those cost a forked child some 35 page faults."""

from __future__ import annotations

import signal

#: `signal.signal`, for plain numbers; it answers the handler before.
from _signal import signal as set_handler  # noqa: F401

TERM, INT, ALARM = int(signal.SIGTERM), int(signal.SIGINT), int(signal.SIGALRM)
DEFAULT, IGNORE = int(signal.SIG_DFL), int(signal.SIG_IGN)
