"""How long after its end a bar can be had, per reader; apart, so that asking loads no reader."""

from __future__ import annotations

from datetime import timedelta

DELAYS = {"yahoo": timedelta(minutes=15)}
"""Readers that are not named here have a bar at its end."""


def delay_of(reader: str) -> timedelta:
    """The delay of a reader's vendors."""
    return DELAYS.get(reader, timedelta(0))
