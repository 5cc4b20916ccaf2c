"""What the store should hold, whatever a single run was asked for.

What belongs here: the symbol-sessions that a check has to find data for.
What does not: whether it is there (market_data/quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars import expected_bars
from market_data.pipeline.platform import Platform
from market_data.schemas import EXPECTED
from market_data.timeframes import Timeframe
from market_data.universe import Instrument, Universe


def should_hold(
    platform: Platform,
    vendors: Sequence[str],
    sources: Sequence[Timeframe],
    first: date,
    last: date,
) -> pl.DataFrame:
    """Expected bars per symbol and session that data of these vendors should be there for.

    An instrument whose configuration states its `history` is held from that session on. Any other
    is held between the first and the last session that was ever asked for, so that a hole in what
    was asked shows, and a symbol that nobody wanted does not. Sessions that have not begun are
    left out, and so is a symbol's session of which every one of these vendors that was asked said
    that it is unavailable, or for which none of them has a name of the instrument.

    Args:
        platform: configuration and ledger.
        vendors: whose data.
        sources: timeframe of the dataset, and after it that of bars which it is resampled from.
        first: first session.
        last: last session.

    Returns:
        Rows of EXPECTED, sorted by (symbol, session).
    """
    held = _held(platform, vendors, sources, first, last)
    instruments = [platform.universe.instrument(s) for s in held["symbol"]]
    if not instruments:
        return EXPECTED.empty()
    return (
        expected_bars(instruments, sources[0], first, last)
        .join(held, on="symbol", how="left", maintain_order="left")
        .filter(
            (pl.col("session") >= pl.col("since"))
            & (pl.col("session") <= pl.col("until"))
            & (pl.col("open") <= platform.clock.now())
        )
        .join(
            platform.ledger.unavailable(
                timeframes=sources, vendors=vendors, sessions=(first, last)
            ),
            on=["symbol", "session"],
            how="anti",
            maintain_order="left",
        )
        .join(
            _nameless(platform.universe, instruments, vendors, first, last),
            on=["symbol", "session"],
            how="anti",
            maintain_order="left",
        )
        .select(EXPECTED.names)
    )


def _nameless(
    universe: Universe,
    instruments: Sequence[Instrument],
    vendors: Sequence[str],
    first: date,
    last: date,
) -> pl.DataFrame:
    """Columns symbol, session: days on which no vendor that serves a symbol has a name for it."""
    configured = [v for v in universe.vendors if v.name in vendors]
    days = pl.select(session=pl.date_range(first, last, interval="1d"))
    parts = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})]
    for instrument in instruments:
        serving = [v.name for v in configured if universe.serves(v, instrument)]
        if not serving or not all(instrument.tickers_at(v) for v in serving):
            continue
        spans = [span for v in serving for span in instrument.name_spans(v)]
        named = pl.any_horizontal(pl.col("session").is_between(*span) for span in spans)
        parts.append(
            days.filter(~named).select(pl.lit(instrument.symbol).alias("symbol"), "session")
        )
    return pl.concat(parts)


def _held(
    platform: Platform,
    vendors: Sequence[str],
    sources: Sequence[Timeframe],
    first: date,
    last: date,
) -> pl.DataFrame:
    """Columns symbol, since, until: one row per symbol held somewhere in the range."""
    asked = pl.concat(platform.ledger.spans(timeframe=t, vendors=vendors) for t in sources).select(
        "symbol", since="first", until="last"
    )
    configured = pl.DataFrame(
        [
            (i.symbol, i.history, last)
            for i in platform.universe.instruments
            if i.history is not None
            and any(
                platform.universe.serves(v, i)
                for v in platform.universe.vendors
                if v.name in vendors
                and set(sources) & set(v.timeframes)
                # Nothing can be lacking of whom nobody can ask.
                and not platform.vendors.why_off(v.name)
            )
        ],
        schema={"symbol": pl.String, "since": pl.Date, "until": pl.Date},
        orient="row",
    )
    known = [i.symbol for i in platform.universe.instruments]
    return (
        pl.concat([asked, configured])
        .group_by("symbol")
        .agg(pl.col("since").min(), pl.col("until").max())
        .filter(
            pl.col("symbol").is_in(known) & (pl.col("since") <= last) & (pl.col("until") >= first)
        )
        .sort("symbol")
    )
