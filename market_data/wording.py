"""Words for people that several messages share.

What belongs here: how a list of names is told. What does not: the messages.
"""

from __future__ import annotations

from collections.abc import Sequence


def few(names: Sequence[str], most: int = 10) -> str:
    """The first names, and how many there are beyond: "AAA, BBB and 3 more"."""
    told = ", ".join(names[:most])
    return told if len(names) <= most else f"{told} and {len(names) - most} more"
