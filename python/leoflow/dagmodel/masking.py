"""Secrets that this process was given, and texts without them: what a task logs, reports or shows goes through `mask`."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"
#: Shorter values are no secrets worth the damage: masking "a" would blot out the log.
MIN_LENGTH = 5
#: Airflow's DEFAULT_SENSITIVE_FIELDS: a name that holds one of these hides its value.
SENSITIVE = (
    "access_key", "access_token", "api_key", "apikey", "authorization", "connection_string", "passphrase", "passwd", "password", "private_key",
    "proxy", "proxy_password", "proxies", "secret", "token", "keyfile_dict", "service_account",
)
#: Airflow's list of words that are never masked.
_NEVER = frozenset({"airflow"})
_known: set[str] = set()
#: None until the first secret: those who write lines look at this and go on.
pattern: re.Pattern[str] | None = None
#: Characters of the longest form.
longest = 0


def is_sensitive(name: Any) -> bool:
    """True when the value under this name is to be hidden."""
    if not isinstance(name, str):
        return False
    name = name.strip().lower()
    return any(part in name for part in SENSITIVE)


def add(secret: Any) -> None:
    """Hide every text in a value from now on, also URL-encoded, in base64 and as JSON writes it."""
    global pattern, longest
    if isinstance(secret, dict):
        for item in secret.values():
            add(item)
    elif isinstance(secret, (list, tuple, set)):
        for item in secret:
            add(item)
    elif isinstance(secret, (int, float)) and not isinstance(secret, bool):
        add(str(secret))
    elif isinstance(secret, str) and len(secret) >= MIN_LENGTH and secret not in _NEVER and secret not in _known:
        _known.add(secret)
        _known.update(form for form in _forms(secret) if len(form) >= MIN_LENGTH)
        longest = max(map(len, _known))
        pattern = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True))))


def add_named(value: Any, name: Any = None) -> None:
    """Hide what stands under a sensitive name in a value."""
    if is_sensitive(name):
        add(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            add_named(item, key)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            add_named(item, name)
    elif isinstance(value, str):
        nested = _nested(value)
        if nested is not None:
            add_named(nested)


def _nested(text: str) -> Any:
    """What a text of JSON holds, None for any other text."""
    if not text.lstrip()[:1] in ("{", "["):
        return None
    import json

    try:
        return json.loads(text)
    except ValueError:
        return None


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
        forms.add(encode(data).decode())
        for before in range(3):
            text = encode(b"\0" * before + data).decode().rstrip("=")
            # Characters that also depend on what stands before or behind are left out.
            first, last = (before * 8 + 5) // 6, ((before + len(data)) * 8) // 6
            forms.add(text[first:last])
    # What is left of a short text is too little to tell it by.
    return {form for form in forms if len(form) >= 6}


def mask(text: str) -> str:
    """The text with every known secret replaced."""
    return text if pattern is None else pattern.sub(MASK, text)


def mask_all(value: Any) -> Any:
    """A value of JSON with every text in it masked."""
    if pattern is None:
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key) if isinstance(key, str) else key: mask_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_all(item) for item in value]
    return value


def forget() -> None:
    """Know no secret any more."""
    global pattern, longest
    _known.clear()
    pattern, longest = None, 0
