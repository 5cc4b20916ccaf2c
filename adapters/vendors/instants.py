"""How late a time in a vendor's answer can be.

What belongs here: the end of the span in which a number is taken for a time at all.
What does not: how each vendor writes times (its package), whether a bar lies in the future of a
fetch (the pipeline).
"""

from __future__ import annotations

LATEST_SECOND = 4_102_444_800
"""Seconds from 1970 to 2100. No bar of ours is later, so a greater number is no time but another
thing in its place; and what is within it stays inside 64 bits when it is made microseconds."""
LATEST_MICROSECOND = LATEST_SECOND * 1_000_000
