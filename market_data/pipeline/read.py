"""Read: curated bars for research and trading.

What belongs here: from a reader's question to one frame.
What does not: getting the bars and their marks (stored_bars.py), what the ledger knows about them
(ledger_days.py), printing and file formats (emp), the rules of curation and adjustment
(adjusting.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Literal

import polars as pl

from market_data.corporate_actions.adjustment import Adjust
from market_data.errors import ConfigurationError, UnjudgedBarsWarning, UnknownActionsWarning
from market_data.pipeline.adjusting import adjusted_bars
from market_data.pipeline.decisions import bar_decisions
from market_data.pipeline.imputing import ANNOTATED, NEVER, Impute, Range, asked_for, with_imputed
from market_data.pipeline.platform import Platform
from market_data.pipeline.scores_and_flags import tell_unjudged
from market_data.pipeline.stored_bars import StoredBars
from market_data.pipeline.withheld import tell_withheld
from market_data.timeframes import Timeframe

Quality = Literal["trusted", "ok", "all"]


def read_bars(  # noqa: PLR0913  a reader's question has this many parts
    platform: Platform,
    symbols: Sequence[str],
    *,
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
    sessions: tuple[date, date] | None = None,
    adjusted: Adjust | str = Adjust.NONE,
    as_of: datetime | None = None,
    quality: Quality = "trusted",
    running: bool = False,
    impute: Impute = ANNOTATED,
    checked: bool = False,
) -> pl.DataFrame:
    """Curated bars of some symbols, sorted by (symbol, ts).

    Args:
        platform: where from.
        symbols: instruments of the universe.
        timeframe: bar length.
        start: first bar start, UTC.
        end: end of the range, UTC, excluded.
        sessions: first and last session, both included.
        adjusted: "none", "splits" or "total" (splits and dividends), on the basis of the newest
            action known at `as_of`.
        as_of: curate again from what was known then; None reads what is stored.
        quality: "trusted" leaves out rows whose dq_status is error, "ok" also those with warn,
            "all" leaves out none. Bars of a session that somebody marked unusable have the status
            error and the flag `unusable`, as have longer bars that are made of its minutes.
        running: also bars whose period is still running.
        impute: how missing bars are made up, see `market_data.curation.imputation.parse`;
            "annotated": only where people decided so, and not with quality "ok"; "none": never.
        checked: work out now what bars are flagged by beside their neighbours: false ticks, wicks,
            jumps, changes of the unit, flat runs and odd volumes that nobody accepted. Else bars
            carry what was found when their session was scored last, up to `as_of`. Either comes
            before `quality` leaves anything out.

    Returns:
        Rows of CURATED_BARS. Where bars may have been made up, also the columns
        `market_data.curation.imputation.MASKS`, which say what was.

    Raises:
        ConfigurationError: a symbol is not in the universe, or an argument has no such value.
        MarketDataError: a dividend cannot be worked in: there is no close before it that can be
            trusted.

    Warns:
        UnknownActionsWarning: adjusted prices of symbols of which no corporate action is known, or
            over a stretch of sessions about which nobody who tells splits was asked; or bars that
            are left out of adjusted prices since nobody knows all splits in them.
        WithheldBarsWarning: "trusted" left out bars that are in error.
        UnjudgedBarsWarning: nobody has scored some of the bars, and looked for wrong ones among
            them; not with `as_of` or `checked`.
        StoreAwayWarning: bars as of a moment are without the flags that the store keeps, which
            does not answer.
    """
    for symbol in symbols:
        platform.universe.instrument(symbol)
    mode, wanted = _adjustment(adjusted), _wanted(quality, running=running)
    span, moment = Range(start, end, sessions), as_of or platform.clock.now()
    decided = bar_decisions(platform, timeframe, span.days, as_of)
    asked = asked_for(decided, symbols, impute, span, as_of, annotated=quality != "ok")
    of_class = {s: platform.universe.instrument(s).asset_class for s in symbols}
    adjustable = [s for s, found in of_class.items() if found.is_adjustable]

    @cache
    def closes() -> pl.DataFrame:
        with warnings.catch_warnings():
            # They are not what is read.
            warnings.simplefilter("ignore", UnjudgedBarsWarning)
            return read_bars(
                platform,
                adjustable,
                timeframe=Timeframe.D1,
                as_of=as_of,
                quality="all",
                impute=NEVER,
            )

    def worked_in(bars: pl.DataFrame) -> pl.DataFrame:
        if mode is Adjust.NONE or bars.is_empty():
            return bars
        return adjusted_bars(platform, bars, adjustable, mode, moment, closes=closes, stacklevel=4)

    stored = StoredBars(platform, timeframe, as_of, checked)
    completed = [] if asked is None else asked.among(symbols)
    bars = stored.marked([s for s in symbols if s not in completed], span, decided)
    around = bars.clear()
    if asked is not None:
        # Values come from bars beside the range too, of which the same decisions hold.
        wide = span.widened(asked.beyond, asked.beyond)
        around = stored.marked(
            completed, wide, bar_decisions(platform, timeframe, wide.days, as_of)
        )
        bars = pl.concat([bars, around.filter(span.holds())]).sort("symbol", "ts")
    if as_of is None and not checked:
        tell_unjudged(platform, bars, timeframe, stacklevel=3)
    if quality == "trusted":
        tell_withheld(bars, running=running, checked=checked, stacklevel=3)
    bars = worked_in(bars.filter(wanted))
    if asked is None:
        return bars
    with warnings.catch_warnings():
        # What is to be said of these prices was said of `bars`.
        warnings.simplefilter("ignore", UnknownActionsWarning)
        around = worked_in(around.filter(wanted))
    return with_imputed(
        platform,
        bars,
        around,
        asked,
        timeframe,
        span,
        moment=moment,
        adjusted=mode is not Adjust.NONE,
    )


def _adjustment(adjusted: Adjust | str) -> Adjust:
    try:
        return Adjust(adjusted)
    except ValueError as error:
        values = ", ".join(str(a) for a in Adjust)
        raise ConfigurationError(f"adjusted={adjusted!r}; it takes one of: {values}") from error


def _wanted(quality: str, *, running: bool) -> pl.Expr:
    status = pl.col("dq_status")
    served = {"trusted": status != "error", "ok": status == "ok", "all": pl.lit(value=True)}
    if quality not in served:
        raise ConfigurationError(f"quality={quality!r}; it takes one of: {', '.join(served)}")
    return served[quality] if running else served[quality] & pl.col("final")
