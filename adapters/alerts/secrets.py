"""The secrets of routes: where they are read, and how they are kept out of every text.

What belongs here: values of the variables that config/alerts.yaml names; their removal from texts.
What does not: patterns of secrets in general (market_data/ports/redaction.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

from market_data.alerts.rules import AlertRules, RouteRules
from market_data.errors import ConfigurationError
from market_data.ports.redaction import sanitised_text

_TELLING = re.compile(r"PASSW|SECRET|TOKEN|API_?KEY|ROUTING_?KEY|CREDENTIAL", re.IGNORECASE)
_REDACTED = "***"
HEARTBEAT = "EMP_ALERTS_HEARTBEAT_URL"
"""Its path is the key of a watch."""
_SHORTEST = 6
"""Characters; a shorter value would take ordinary words out of texts."""


def secret(name: str, route: str) -> str:
    """The value of a variable that a route needs.

    Raises:
        ConfigurationError: it is not set; the message names it.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"route {route}: {name} is not set")
    return value


def variables(route: RouteRules) -> list[str]:
    """Names of the variables that a route reads."""
    fields = type(route).model_fields
    return [
        value for field in fields if field.endswith("_env") and (value := getattr(route, field))
    ]


def cleaner(rules: AlertRules) -> Callable[[str], str]:
    """What takes secrets out of a text: known values wherever they stand, and what looks like one.

    Args:
        rules: name the variables of the routes.
    """
    known = sorted(set(_values(rules)), key=len, reverse=True)

    def clean(text: str) -> str:
        for value in known:
            text = text.replace(value, _REDACTED)
        return sanitised_text(text)

    return clean


def _values(rules: AlertRules) -> Iterator[str]:
    named = {name for route in rules.routes for name in variables(route)} | {HEARTBEAT}
    for name, value in os.environ.items():
        for form in _forms(value.strip(), whole=name in named or bool(_TELLING.search(name))):
            if len(form) >= _SHORTEST:
                yield form


def _forms(value: str, *, whole: bool) -> Iterator[str]:
    """What must not be shown of a value: all of it, or only the password of an address."""
    if "://" in value:
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = None
        if parts is not None:
            yield parts.password or ""
            if whole:
                # What stands behind the host is the secret, and may be shown alone.
                yield parts.path.strip("/")
                yield parts.query
    if whole:
        yield value
        yield quote(value, safe="")
