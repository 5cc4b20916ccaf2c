"""Durations as configuration files write them: 30s, 15m, 2h, 1d.

What belongs here: reading one, and the type of a field that holds one. What does not: what a
duration limits.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: object) -> timedelta:
    """Read '30s', '15m', '2h', '1d'.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value)):
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    raise ValueError("must be a number with a unit s, m, h or d, such as 15m or 2h")


Duration = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0))]
"""A field of a configuration file that is zero or longer."""
