"""Taking secrets out of what leaves the platform.

What belongs here: making any value fit for a message that strangers may read.
What does not: what a message says, secrets that are known (known_secrets.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from market_data.ports.known_secrets import REDACTED

LONGEST_TEXT = 2_000
"""Characters; a longer text is cut, so that a message stays small whatever a vendor answered."""

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|(^|[-_ ])pass$|secret|token|credential|authori[sz]ation|cookie"
    r"|(api|access|private|client|account)[-_ ]?key|^key$|dsn",
    re.IGNORECASE,
)
_URL_USER = re.compile(r"(?<=://)(?:[^\s/@:]*:(?!\d+/)\S*|[^\s/]*)@")
"""A password may hold what it should not: @, and / where no port is meant."""
_ASSIGNED = re.compile(
    r"(?P<name>\b[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|access[-_]?key)\b"
    r"[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s&,;\"']+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)


def sanitised_text(text: str) -> str:
    """A text without user names in URLs, assigned secrets and bearer tokens, and not too long."""
    clean = _URL_USER.sub(f"{REDACTED}@", text)
    clean = _BEARER.sub(rf"\1 {REDACTED}", clean)
    clean = _ASSIGNED.sub(rf"\g<name>{REDACTED}", clean)
    return clean if len(clean) <= LONGEST_TEXT else clean[: LONGEST_TEXT - 1] + "…"


def sanitised(values: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as JSON values without secrets.

    What stands under the name of a secret is replaced; texts are cleaned; numbers that are not
    finite become None; what JSON does not know becomes its cleaned text.
    """
    return {
        sanitised_text(str(name)): REDACTED if _SECRET_NAME.search(str(name)) else _value(value)
        for name, value in values.items()
    }


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return sanitised(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_value(item) for item in value]
    return sanitised_text(str(value))
