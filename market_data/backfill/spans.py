"""Backfills of less than whole ranges: spans of sessions, symbol by symbol.

What belongs here: which rows lie in some spans, and how spans are laid into runs. What does not:
where spans come from (market_data/pipeline/outage_backfills.py).

A run takes one span per symbol. So the second stretch that a symbol lacks near the first is a run
of its own, and what lies between the two is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from market_data.backfill.plans import Span

_KEY = ["symbol", "session"]


def within(frame: pl.DataFrame, spans: Sequence[Span]) -> pl.DataFrame:
    """The rows of a frame with symbol and session that lie in any span; all, where there is none.

    Args:
        frame: each symbol and session once.
        spans: see `Span`.
    """
    if not spans:
        return frame
    schema = {"symbol": pl.String, "_first": pl.Date, "_last": pl.Date}
    inside = (
        frame.select(_KEY)
        .join(pl.DataFrame(spans, schema=schema, orient="row"), on="symbol")
        .filter(pl.col("session").is_between("_first", "_last"))
    )
    return frame.join(inside, on=_KEY, how="semi", maintain_order="left")


def layers(
    spans: Sequence[Span], sessions: tuple[date, date]
) -> list[Mapping[str, tuple[date, date]]]:
    """The spans within a range as few layers, each of which has one span per symbol.

    Args:
        spans: see `Span`.
        sessions: first and last of the range; what lies outside is cut off.

    Returns:
        Symbol to first and last session: its oldest spans, its second ones, and so on.
    """
    found: list[dict[str, tuple[date, date]]] = []
    held: dict[str, int] = {}
    for symbol, begin, end in sorted(spans):
        first, last = max(begin, sessions[0]), min(end, sessions[1])
        if first > last:
            continue
        place = held.get(symbol, 0)
        held[symbol] = place + 1
        if place == len(found):
            found.append({})
        found[place][symbol] = (first, last)
    return list(found)
