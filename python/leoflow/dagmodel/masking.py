"""Secrets that this process was given, and texts without them: what a task logs, reports or shows goes through `mask`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MASK = "***"
#: Shorter values are no secrets worth the damage: masking "a" would blot out the log.
MIN_LENGTH = 5
#: Airflow's DEFAULT_SENSITIVE_FIELDS: a name that holds one of these hides its value. The list of src/core/sensitive.ts.
SENSITIVE = (
    "access_key", "access_token", "api_key", "apikey", "authorization", "connection_string", "passphrase", "passwd", "password", "private_key",
    "proxy", "proxy_password", "proxies", "secret", "token", "keyfile_dict", "service_account",
)
#: Airflow's list of words that are never masked.
_NEVER = frozenset({"airflow"})
#: Contract's LIMITS.maxJsonDepth.
MAX_DEPTH = 64
_known: set[str] = set()
#: What a person is told a secret is, by its text.
_origins: dict[str, str] = {}
#: Characters of the longest form; 0 until the first secret: those who write lines look at this and go on.
longest = 0
#: Finds what is known; None when it is to be made anew.
_pattern: re.Pattern[str] | None = None


def is_sensitive(name: Any) -> bool:
    """True when the value under this name is to be hidden."""
    if not isinstance(name, str):
        return False
    name = name.strip().lower()
    return any(part in name for part in SENSITIVE)


def add(secret: Any, what: str = "") -> None:
    """Hide every text in a value from now on, also URL-encoded, in base64 and as JSON writes it.

    what: how a person is told which secret this is ("the password of the connection 'db'")
    """
    global _pattern, longest
    fresh = {text for text in _texts(secret) if len(text) >= MIN_LENGTH and text not in _NEVER and text not in _known}
    if what:
        _origins.update((text, what) for text in fresh)
    if fresh:
        _known.update(fresh)
        _known.update(form for text in fresh for form in _forms(text) if len(form) >= MIN_LENGTH and form not in _NEVER)
        longest, _pattern = max(map(len, _known)), None


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a value, however deep it is."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            rest.extend(item.values())
        elif isinstance(item, (list, tuple, set)):
            rest.extend(item)
        elif isinstance(item, str):
            yield item
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            yield str(item)


def add_named(value: Any, name: Any = None, what: str = "") -> None:
    """Hide what stands under a sensitive name in a value, and whatever is nested deeper than MAX_DEPTH."""
    add(list(_named(value, name, 0)), what)


def _named(value: Any, name: Any, depth: int) -> Iterator[Any]:
    if is_sensitive(name) or depth > MAX_DEPTH:
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, key, depth + 1)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _named(item, name, depth + 1)
    elif isinstance(value, str):
        yield from _named(_nested(value), None, depth)


def _nested(text: str) -> Any:
    """What a text of JSON holds, None for any other text."""
    if not text.lstrip()[:1] in ("{", "["):
        return None
    import json

    try:
        return json.loads(text)
    except ValueError:
        return None
    except RecursionError:
        # Too deep to be read: every text in it is hidden.
        return _at_depth([text, *re.findall(r'"((?:[^"\\]|\\.)*)"', text)])


def _at_depth(value: Any) -> Any:
    """A value so deep that all of it is hidden."""
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    return value


def _forms(secret: str) -> set[str]:
    """Other ways in which a text is often written."""
    import json
    from urllib.parse import quote, quote_plus

    forms = {quote(secret, errors="replace"), quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"), repr(secret)[1:-1]}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms |= {json.dumps(form)[1:-1] for form in tuple(forms)}
    # Each line of a key is a line of the log.
    forms |= {line.strip() for line in secret.splitlines()}
    return forms | _base64_forms(secret)


def _base64_forms(secret: str) -> set[str]:
    """The text in base64, on its own and inside a longer text at each of the three places where one can begin."""
    import base64

    data = secret.encode("utf-8", "surrogatepass")
    forms = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= {encode(data).decode(), encode(data).decode().rstrip("=")}
        for before in range(3):
            text = encode(b"\0" * before + data).decode().rstrip("=")
            # Characters that also depend on what stands before or behind are left out.
            first, last = (before * 8 + 5) // 6, ((before + len(data)) * 8) // 6
            forms.add(text[first:last])
    # What is left of a short text is too little to tell it by.
    return {form for form in forms if len(form) >= 6}


def mask(text: str) -> str:
    """The text with every known secret replaced."""
    global _pattern
    if not _known:
        return text
    if _pattern is None:
        # Only now: a task may fetch a thousand secrets before it says a word.
        _pattern = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True))))
    return _pattern.sub(MASK, text)


def blot(line: bytes) -> bytes:
    """The bytes with every known secret under as many asterisks."""
    if not _known:
        return line
    mask("")
    text = line.decode("utf-8", "surrogateescape")
    return _pattern.sub(lambda found: "*" * len(found.group().encode("utf-8", "surrogateescape")), text).encode("utf-8", "surrogateescape")


def mask_all(value: Any, depth: int = 0) -> Any:
    """A value of JSON with every text in it masked; what is nested deeper than MAX_DEPTH is masked whole."""
    if not _known:
        return value
    if isinstance(value, str):
        return mask(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {mask(key) if isinstance(key, str) else key: mask_all(item, depth + 1) for key, item in value.items()}
    return [mask_all(item, depth + 1) for item in value]


def origins() -> dict[str, str]:
    """Secrets with what a person is told they are."""
    return dict(_origins)


def forget() -> None:
    """Know no secret any more."""
    global _pattern, longest
    _known.clear()
    _origins.clear()
    _pattern, longest = None, 0
