"""Flags of single bars as they are kept, and which of them are still about the bars at hand.

What belongs here: what is kept of a flag, and telling whether its bar is the one that it was found
on. What does not: finding flags (bar_flags.py), storing them and serving them with the bars
(market_data/pipeline/kept_flags.py).

A flag of a price keeps a digest of its bar's prices, a flag of a session's volume one of all the
volumes of the session. A bar that was restated since has another digest, and the flag is not about
it: neither a wrong price that was mended nor a right one that came later inherits a verdict.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.quality.bar_flags import BAR_FLAGS
from market_data.quality.digest import row_digests
from market_data.quality.findings import KEY
from market_data.schemas import KEPT_FLAGS, PRICES, UTC

BAR, SESSION = "bar", "session"
_VOLUMES = ["ts", "volume"]
_TOLD = [*KEY, "check", "code", "severity", "digest"]
_KEPT: list[str | pl.Expr] = [
    *KEY,
    pl.col("found_by").alias("check"),
    "code",
    "severity",
    pl.col("digest").alias("_digest"),
]
_SAME = ["dataset", *KEY, "bar", "code", "scope", "severity", "digest"]
"""What makes a flag the one that was found before."""


def flags_to_keep(
    flags: pl.DataFrame, bars: pl.DataFrame, *, dataset: str, found_at: datetime
) -> pl.DataFrame:
    """What is kept of flags.

    Args:
        flags: columns BAR_FLAGS.
        bars: symbol, session, ts, open, high, low, close, volume of whole sessions, those of the
            flags among them.
        dataset: of the bars.
        found_at: now, UTC.

    Returns:
        Rows of KEPT_FLAGS without rule_version; flags of bars that are not there are left out.
    """
    single = _with_digests(flags.filter(pl.col("ts").is_not_null()), bars)
    by_session = flags.filter(pl.col("ts").is_null())
    whole = by_session.join(_of_sessions(bars, by_session), on=KEY, maintain_order="left")
    parts = [
        single.select(*_TOLD, bar="ts", scope=pl.lit(BAR)),
        whole.select(*_TOLD, "bar", scope=pl.lit(SESSION)),
    ]
    kept = pl.concat(parts).with_columns(
        dataset=pl.lit(dataset), found_by="check", found_at=pl.lit(found_at, UTC)
    )
    return kept.select(n for n in KEPT_FLAGS.names if n != "rule_version")


def first_found(found: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Flags that were found again, with the moment at which they were found first.

    Args:
        found: rows of KEPT_FLAGS, what is found now.
        before: rows of KEPT_FLAGS, what was kept until now.

    Returns:
        The rows of `found` in their order.
    """
    known = before.select(*_SAME, _first="found_at")
    return (
        found.join(known, on=_SAME, how="left", maintain_order="left")
        .with_columns(found_at=pl.min_horizontal("found_at", "_first"))
        .select(found.columns)
    )


def still_there(kept: pl.DataFrame, bars: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The kept flags that are about bars as these are.

    Args:
        kept: rows of KEPT_FLAGS of one dataset.
        bars: symbol, session, ts, open, high, low, close.
        sessions: symbol, session, ts, volume of all bars of the sessions that a flag means as a
            whole; other sessions do no harm.

    Returns:
        Columns BAR_FLAGS; `ts` is null where all bars of the session are meant.
    """
    by_bar = kept.get_column("scope") == BAR
    parts = [pl.DataFrame(schema=BAR_FLAGS)]
    if by_bar.any():
        now = _with_digests(kept.filter(by_bar).select(*_KEPT, ts="bar"), bars)
        same = now.get_column("digest") == now.get_column("_digest")
        parts.append(now.filter(same).select(BAR_FLAGS.names()))
    if not by_bar.all():
        whole = kept.filter(~by_bar).select(*_KEPT, ts=pl.lit(None, UTC))
        now = _of_sessions(sessions, whole).select(*KEY, _digest="digest")
        told = whole.join(now, on=[*KEY, "_digest"], how="semi", maintain_order="left")
        parts.append(told.select(BAR_FLAGS.names()))
    return pl.concat(parts)


def _with_digests(flags: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The flags whose bars are there, with the digests of these."""
    # They are few: whatever else is done, is done for the bars that may be theirs alone.
    near = bars.filter(pl.col("ts").is_in(flags["ts"].unique().implode()))
    found = flags.join(near.select(*KEY, "ts", *PRICES), on=[*KEY, "ts"], maintain_order="left")
    return found.with_columns(row_digests(found, PRICES))


def _of_sessions(bars: pl.DataFrame, flags: pl.DataFrame) -> pl.DataFrame:
    """Of sessions that flags are about: symbol, session, bar (start of the first one), digest."""
    near = bars.filter(pl.col("session").is_in(flags["session"].unique().implode()))
    concerned = near.select(*KEY, *_VOLUMES).join(flags.select(KEY), on=KEY, how="semi")
    numbers = row_digests(concerned, _VOLUMES).reinterpret(signed=False)
    return (
        concerned.with_columns(numbers)
        .group_by(KEY)
        .agg(bar=pl.col("ts").min(), digest=pl.col("digest").sum().reinterpret(signed=True))
    )
