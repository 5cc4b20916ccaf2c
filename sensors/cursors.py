"""Reads what a sensor remembers, from whichever version of the program wrote it.

What belongs here: the version of a cursor, and the refusal of a newer one. What does not: what a
sensor makes of an older one; it reads what is there, and begins anew with what is not.
"""

from __future__ import annotations

import json
from typing import Any

_CURE = "run the program that wrote it, or clear the cursor in the UI to begin anew"


def remembered(cursor: str | None, version: int) -> dict[str, Any]:
    """What a cursor holds; nothing where there is none. One without a version counts as 1.

    Args:
        cursor: of the sensor.
        version: the newest that the caller reads.

    Raises:
        ValueError: a newer program has written it, or no program of this kind has.
    """
    if not cursor:
        return {}
    try:
        kept = json.loads(cursor)
        found = int(kept.get("version", 1))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the cursor is none of this sensor's; {_CURE}") from error
    if found > version:
        raise ValueError(
            f"the cursor has version {found}, written by a newer program, and this one reads "
            f"versions up to {version}; {_CURE}"
        )
    return dict(kept)
