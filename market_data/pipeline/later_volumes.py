"""Volumes of sessions long after those that are scored, whose usual volume these have a say in.

What belongs here: which sessions these are, and which of them are odd. What does not: judging
volumes (market_data/quality/volume.py), keeping what is found (kept_flags.py).

Of bars of an hour and longer so many sessions after a part are judged anew that these are among
them; of minutes too many bars lie there, and their volumes alone are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from market_data.datasets import curated_bars
from market_data.pipeline.flagging import odd_volumes_now
from market_data.pipeline.platform import Platform
from market_data.pipeline.surroundings import reading, volumes_before
from market_data.quality.findings import KEY
from market_data.quality.kept_flags import flags_to_keep
from market_data.quality.view import SERIES
from market_data.quality.volume import LOOK_BACK, with_sessions_before
from market_data.schemas import KEPT_FLAGS
from market_data.timeframes import Timeframe


def usual_in(
    timeframe: Timeframe, scored: tuple[date, date], judged: tuple[date, date], *, ends: bool
) -> tuple[date, date] | None:
    """Sessions after those that are judged anew, whose usual volume a part has a say in.

    Args:
        timeframe: of the bars.
        scored: first and last session of the part.
        judged: first and last session whose flags are found anew with it.
        ends: nothing of the range that is scored lies after it.
    """
    end = scored[1] + LOOK_BACK
    if not (timeframe.is_intraday and ends and judged[1] < end):
        return None
    return judged[1] + timedelta(days=1), end


def odd_later(
    platform: Platform, symbols: Sequence[str], timeframe: Timeframe, sessions: tuple[date, date]
) -> pl.DataFrame:
    """Sessions of odd volume: rows of KEPT_FLAGS without rule_version."""
    read = reading(platform, timeframe)
    own = read(symbols, sessions, [*KEY, "volume", "final"]).filter("final")
    if own.is_empty():
        return KEPT_FLAGS.empty()
    before = volumes_before(platform, timeframe, symbols, sessions[0])
    odd = odd_volumes_now(platform, timeframe, with_sessions_before(own, before, sessions[0]))
    odd = odd.filter(pl.col("session").is_between(*sessions))
    if odd.is_empty():
        return KEPT_FLAGS.empty()
    days = odd["session"].to_list()
    return flags_to_keep(
        odd,
        read(odd["symbol"].unique().to_list(), (min(days), max(days)), SERIES),
        dataset=curated_bars(timeframe).name,
        found_at=platform.clock.now(),
    )
