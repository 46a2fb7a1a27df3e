"""JSON text from encoders made once: `json.dumps` makes a new one per call, which costs a forked child some 10 page faults."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any

#: A text with its quotes, everything but quotes, backslashes and control characters as it is.
quote: Callable[[str], str] = json.encoder.encode_basestring


def make_encoder(*, ascii_only: bool, default: Callable[[Any], Any] | None = None) -> Callable[[Any], str]:
    """A function from a value to compact JSON text. It raises what `json.dumps` raises for values that JSON has no words for.

    default: from such a value to one that it has words for
    """
    slow = json.JSONEncoder(ensure_ascii=ascii_only, separators=(",", ":"), check_circular=False, default=default)
    make = json.encoder.c_make_encoder
    if make is None:
        return slow.encode
    quoted = json.encoder.encode_basestring_ascii if ascii_only else quote
    chunks = make(None, slow.default, quoted, None, ":", ",", False, False, True)
    return lambda value: "".join(chunks(value, 0))
