"""Doubts: what an answer says about a session that is not believed the first time.

What belongs here: which absences are doubtful, from when on they are believed, and how long nobody
asks again in the meantime. What does not: what the ledger says of each session (verdicts.py), what
to ask for (planning.py).

An empty answer is cheap: a header alone, a chart without stamps. If it closed a year, nobody would
ever ask for the year again. A row that was refused is no answer either: the next one may be whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from market_data.overtaking import CLOCKS_APART
from market_data.ports import Outcome

FEW = 5
"""So many sessions in a row without a bar are believed at once: calendars err, exchanges close."""

PAUSE = timedelta(hours=20)
"""How far two answers lie apart that confirm each other, and how long nobody asks in between. A
little less than a day, so that what runs daily asks each time."""

MENDING = timedelta(days=30)
"""How long after its close a session whose rows were refused may come mended."""

NO_BAR = "null_bar"
"""Refused as a row without any price: that is how some vendors say that they have none."""

REFUSED = pl.Schema(
    {"symbol": pl.String(), "session": pl.Date(), "refused": pl.Int64(), "spoiled": pl.Int64()}
)
"""Rows of an answer that could not become bars, and of these the ones that meant to be one."""

_ANSWERS = (str(Outcome.ROWS), str(Outcome.NOTHING))


def count_refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of REFUSED, of refused rows: symbol, session (null where not known), reasons."""
    return (
        rows.drop_nulls("session")
        .group_by("symbol", "session")
        .agg(refused=pl.len(), spoiled=(pl.col("reasons") != NO_BAR).sum())
        .cast(REFUSED)
    )


def with_doubt(
    rows: pl.DataFrame, known: pl.DataFrame, *, at: datetime, delay: timedelta
) -> pl.DataFrame:
    """Verdicts with what is not believed of them, and why.

    Doubtful is
    - that there is nothing in more than FEW expected sessions in a row, unless the same answer has
      bars before and after them, and
    - what a session lacks of which rows were refused.
    It is believed when an earlier answer said so too, at least PAUSE before and after the session
    was over; of refused rows not before MENDING has passed either. An answer of nothing does not
    unsay bars that an earlier one brought, as long as it is doubted.

    Args:
        rows: columns symbol, session, close (null on a day without a session), expected, outcome,
            rows, bars, refused, spoiled, detail.
        known: rows of LEDGER of the vendor and timeframe, from before the answer.
        at: time of asking, UTC.
        delay: time after a session's close at which its bars can be had.

    Returns:
        The rows sorted by (symbol, session), without those that would unsay bars; `doubted` and
        the reason in `detail`.
    """
    before = known.select("symbol", "session", _outcome="outcome", _asked_at="asked_at")
    told = _with_silence(rows).join(before, on=["symbol", "session"], how="left")
    nothing = pl.col("outcome") == str(Outcome.NOTHING)
    confirmed = (
        (pl.col("_outcome") == pl.col("outcome"))
        & (pl.col("_asked_at") <= at - PAUSE)
        & (pl.col("_asked_at") >= pl.col("close") + delay)
    ).fill_null(value=False)
    short = pl.col("bars") < pl.col("expected")
    lost = (nothing & (pl.col("refused") > 0)) | (short & (pl.col("spoiled") > 0))
    never_mended = (pl.col("spoiled") == 0) | (pl.col("close") <= at - MENDING)
    long = nothing & (pl.col("silence") > FEW)
    doubted = pl.col("close").is_not_null() & (lost | long) & ~(confirmed & never_mended)
    unsays = pl.col("doubted") & nothing & (pl.col("_outcome") == str(Outcome.ROWS))
    why = (
        pl.when(lost)
        .then(pl.format("refused of what came: {}", "refused"))
        .otherwise(pl.format("nothing over {} sessions in a row", "silence"))
    )
    return (
        told.with_columns(doubted=doubted.fill_null(value=False))
        .remove(unsays.fill_null(value=False))
        .with_columns(
            detail=pl.when(pl.col("doubted") & (pl.col("detail") == ""))
            .then(why)
            .otherwise("detail")
        )
        .drop("_outcome", "_asked_at", "silence")
        .sort("symbol", "session")
    )


def resting(known: pl.DataFrame, *, settling: timedelta | None, now: datetime) -> pl.DataFrame:
    """Of answers those that stayed open when they were due, and are not asked for again yet.

    Those of a time still to come, of a clock that was ahead, hold nobody back.

    Args:
        known: rows of LEDGER of one vendor, with the session's `close`.
        settling: time after a session's close from which its missing bars are not to be expected
            any more; None where they may always come: nothing rests then.
        now: UTC.

    Returns:
        The rows, with `again`: from when on they are asked for.
    """
    again = pl.col("asked_at") + PAUSE
    asked = doubted_before(known, settling).filter(pl.col("asked_at") <= now + CLOCKS_APART)
    return asked.with_columns(again=again).filter(pl.col("again") > now)


def doubted_before(known: pl.DataFrame, settling: timedelta | None) -> pl.DataFrame:
    """Of rows of LEDGER with the session's `close`, those that a doubt alone kept open."""
    if settling is None:
        return known.clear()
    due = pl.col("asked_at") >= pl.col("close") + settling
    return known.filter(~pl.col("final"), pl.col("outcome").is_in(_ANSWERS), due)


def _with_silence(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `silence`: sessions of nothing in the stretch around a session; 0 between bars."""
    # Days without a session neither part a stretch nor lengthen it.
    expected = rows.filter(pl.col("expected") > 0).sort("symbol", "session")
    stretches = expected.with_columns(_run=(pl.col("rows") > 0).rle_id().over("symbol"))
    last = pl.col("_run").max().over("symbol")
    nothing = (pl.col("outcome") == str(Outcome.NOTHING)).sum().over("symbol", "_run")
    between = (pl.col("_run") > 0) & (pl.col("_run") < last)
    lengths = stretches.select(
        "symbol", "session", silence=pl.when(between).then(0).otherwise(nothing).cast(pl.Int64)
    )
    return rows.join(lengths, on=["symbol", "session"], how="left").with_columns(
        pl.col("silence").fill_null(0)
    )
