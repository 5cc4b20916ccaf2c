"""What a piece of a backfill that has run left without an answer.

What belongs here: which answers count, of a first question and of one that was put again. What does
not: planning (backfill.py), what follows for the piece (jobs/backfill_piece.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.backfill.plans import Piece
from market_data.calendars import expected_bars
from market_data.pipeline.planning import IngestRequest, under_a_name
from market_data.pipeline.platform import Platform
from market_data.ports import IngestRun, Outcome

_KEY = ["symbol", "session"]
_SPANS = {"symbol": pl.String, "first": pl.Date, "last": pl.Date}


@dataclass(frozen=True)
class Again:
    """A run that was to ask for everything, whether it had an answer or not.

    What a vendor said before stays in the ledger where the run put no question, or got no answer to
    it. It stays as well, under the time of then, where the vendor answered that it cannot serve the
    session any more: that this was asked tells the journal.

    Attributes:
        began: when, aware.
        attempts: its questions.
    """

    began: datetime
    attempts: Sequence[IngestRun]

    def heard(self, known: pl.DataFrame, vendor: str) -> pl.DataFrame:
        """Those of some rows of LEDGER, all of one vendor, that this run was told."""
        spans = pl.DataFrame(
            [
                (symbol, *attempt.sessions)
                for attempt in self.attempts
                if attempt.vendor == vendor and attempt.status == "ok"
                for symbol in attempt.symbols
            ],
            schema=_SPANS,
            orient="row",
        )
        confirmed = (
            known.select(_KEY)
            .join(spans, on="symbol")
            .filter(pl.col("session").is_between("first", "last"))
        )
        recent = known.filter(pl.col("asked_at") >= self.began)
        return known.join(
            pl.concat([confirmed.select(_KEY), recent.select(_KEY)]), on=_KEY, how="semi"
        )


def unanswered(platform: Platform, piece: Piece, again: Again | None = None) -> pl.DataFrame:
    """The symbol-sessions that a piece had to ask for and that still have no answer.

    Args:
        platform: configuration and ports.
        piece: that has run.
        again: the run, where it was to ask for everything.

    Returns:
        Columns vendor, symbol, session, outcome, detail (both null where nobody asked), sorted by
        the first three.
    """
    schema = dict.fromkeys(("vendor", "symbol", "outcome", "detail"), pl.String)
    columns = ["vendor", *_KEY, "outcome", "detail"]
    answers = [str(outcome) for outcome in Outcome if outcome.is_answer]
    parts = [pl.DataFrame(schema={**schema, "session": pl.Date}).select(columns)]
    for vendor, symbols in piece.asked.items():
        instruments = [platform.universe.instrument(symbol) for symbol in symbols]
        span = piece.first, piece.last
        wish = IngestRequest(vendor, piece.timeframe, symbols, *span, spans=piece.spans)
        expected = wish.wanted(expected_bars(instruments, piece.timeframe, *span))
        begun = under_a_name(expected, platform.universe, vendor).filter(
            pl.col("open") <= platform.clock.now()
        )
        known = platform.ledger.read(
            timeframe=piece.timeframe,
            vendors=[vendor],
            symbols=symbols,
            sessions=span,
        )
        told = known if again is None else again.heard(known, vendor)
        parts.append(
            begun.select(_KEY)
            .join(told.select(*_KEY, "outcome", "detail"), on=_KEY, how="left")
            .filter(~pl.col("outcome").is_in(answers).fill_null(value=False))
            .select(pl.lit(vendor).alias("vendor"), *_KEY, "outcome", "detail")
        )
    return pl.concat(parts).sort("vendor", *_KEY)
