"""Vendors that go first in a session, since somebody said that they are right.

What belongs here: what that changes about candidates and their disagreements. What does not: who
said so (market_data/quality/annotations.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from market_data.curation.stitching import Candidate

PREFERRED = pl.Schema({"symbol": pl.String(), "session": pl.Date(), "vendor": pl.String()})
"""Whose bars go first in a symbol-session; one row per symbol and session at most."""

_SESSION = ["symbol", "session"]


def put_first(
    candidates: Sequence[Candidate], preferred: pl.DataFrame | None
) -> Sequence[Candidate]:
    """The candidates, their bars of sessions in which their vendor is preferred apart from others.

    Args:
        candidates: of any vendors.
        preferred: rows of PREFERRED; None: nobody is preferred.
    """
    if preferred is None or preferred.is_empty():
        return candidates
    apart: list[Candidate] = []
    for candidate in candidates:
        own = preferred.filter(pl.col("vendor") == candidate.vendor)
        first = candidate.bars.join(own, on=_SESSION, how="semi", maintain_order="left")
        if first.is_empty():
            apart.append(candidate)
            continue
        rest = candidate.bars.join(own, on=_SESSION, how="anti", maintain_order="left")
        apart.append(replace(candidate, bars=first, preferred=True))
        apart += [replace(candidate, bars=rest)] if rest.height else []
    return apart


def undecided(
    measured: pl.DataFrame, compared: pl.DataFrame, preferred: pl.DataFrame | None
) -> pl.DataFrame:
    """Disagreements less those of sessions in which the preferred vendor speaks.

    Args:
        measured: a row per symbol and session.
        compared: symbol, session, vendor: who speaks.
        preferred: rows of PREFERRED; None: nobody is preferred.
    """
    if preferred is None or preferred.is_empty():
        return measured
    settled = preferred.join(compared, on=[*_SESSION, "vendor"], how="semi")
    return measured.join(settled, on=_SESSION, how="anti", maintain_order="left")
