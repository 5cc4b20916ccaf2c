"""A breaker as text, and back.

What belongs here: the form in which places keep it. What does not: what it means.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from market_data.requests.breaker import Breaker


def text_of(breaker: Breaker) -> str:
    """The form that `breaker_of` reads."""
    return json.dumps(asdict(breaker), ensure_ascii=False)


def breaker_of(text: str | bytes | None) -> Breaker:
    """The breaker of a text; closed where there is none."""
    if not text:
        return Breaker()
    found = json.loads(text)
    return Breaker(**{**found, "failures": tuple(found["failures"])})
