"""Words for people that several messages share.

What belongs here: how a list of names, and text of strangers, is told. What does not: the messages.
"""

from __future__ import annotations

from collections.abc import Sequence


def few(names: Sequence[str], most: int = 10) -> str:
    """The first names, and how many there are beyond: "AAA, BBB and 3 more"."""
    told = ", ".join(names[:most])
    return told if len(names) <= most else f"{told} and {len(names) - most} more"


def sayable(text: str, most: int = 500) -> str:
    """Text that repeats what a stranger wrote, fit for a line of a log, a terminal, a database.

    What cannot be printed becomes U+FFFD: control characters, and halves of surrogate pairs, which
    no encoding takes.

    Args:
        text: any.
        most: characters that are kept.
    """
    told = text if len(text) <= most else f"{text[:most]}..."
    return "".join(c if c.isprintable() else "\ufffd" for c in told)
