"""The frames that one evaluation looks at.

What belongs here: the record of a dataset's slice with all that its checks need, and which of its
bars count. What does not: reading a store (market_data/pipeline), judging (one module per check).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal

import polars as pl

from market_data.basis import FOREIGN_DAY, LATEST_DAY_END
from market_data.errors import MarketDataError
from market_data.minor_units import MINOR_UNITS
from market_data.ordering import numbered, repeats_key, runs, sort_if_needed
from market_data.quality.findings import KEY
from market_data.quality.thresholds import Thresholds
from market_data.schemas import (
    CORPORATE_ACTIONS,
    CURATED_BARS,
    PRICES,
    RAW_BARS,
    FrameSchema,
)
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

SERIES = ["symbol", "session", "ts", *PRICES, "volume"]


@dataclass(frozen=True)
class BarsView:
    """A slice of one bar dataset: what is stored, and what should be.

    Attributes:
        dataset: its name, for instance curated/bars_1d.
        kind: raw or curated.
        timeframe: length of the bars.
        instruments: at least those that `bars` and `expected` name.
        bars: newest revisions of RAW_BARS, or CURATED_BARS.
        expected: rows of EXPECTED, only what the store should hold.
        sessions: first and last session of the slice.
        now: time of the evaluation, UTC.
        delay: time after a bar's end at which the vendor has it; a session is over for the checks
            that long after its close.
        delays: symbol, session, delay, where it is another one than `delay`.
        peers: vendor, symbol, ts, session, close, basis_group: the bars of every vendor that may
            be compared, a raw dataset's own among them, de-adjusted; None: nothing to compare.
        duplicates: symbol, session, rows (rows of a fetch that repeat another) and optionally
            contradictions (rows that contradict another of their fetch); those that are still
            among `bars` are found there and need not be counted here.
        quarantine: symbol, session, reasons (comma-separated), rows, and optionally stage. A raw
            dataset counts the stage `fetch` alone: rows that curation refused are among its bars.
        around: columns of SERIES: bars of the sessions next to the slice, which tell what is
            usual, and whether a price comes back.
        volumes: symbol, session, volume of the sessions before the slice that tell a usual volume,
            where `around` has too few of them; None where it has enough.
        closes: symbol, session, ts, close of the last bar of sessions further away than `around`
            goes; None where it goes far enough.
        actions: rows of CORPORATE_ACTIONS that are known.
        within: of daily bars, what shorter ones of the same sessions say, see
            `market_data.quality.consistency.spans`; None: nothing to compare.
        logs: of a curated dataset, rows of RAW_BARS of its timeframe by vendor: what `peers` and
            the bars were made of.
    """

    dataset: str
    kind: Literal["raw", "curated"]
    timeframe: Timeframe
    instruments: Sequence[Instrument]
    bars: pl.DataFrame
    expected: pl.DataFrame
    sessions: tuple[date, date]
    now: datetime
    delay: timedelta = timedelta(0)
    delays: pl.DataFrame | None = field(default=None)
    peers: pl.DataFrame | None = field(default=None)
    duplicates: pl.DataFrame | None = field(default=None)
    quarantine: pl.DataFrame | None = field(default=None)
    around: pl.DataFrame | None = field(default=None)
    volumes: pl.DataFrame | None = field(default=None)
    closes: pl.DataFrame | None = field(default=None)
    actions: pl.DataFrame = field(default_factory=CORPORATE_ACTIONS.empty)
    within: pl.DataFrame | None = field(default=None)
    logs: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def schema(self) -> FrameSchema:
        """The columns that `bars` must have."""
        return RAW_BARS if self.kind == "raw" else CURATED_BARS

    def limits(self, thresholds: Thresholds) -> pl.DataFrame:
        """See `limits_of`.

        Raises:
            MarketDataError: `bars` or `expected` name a symbol without an instrument.
        """
        known = {i.symbol for i in self.instruments}
        named = {*self.bars.get_column("symbol").unique(), *self.expected["symbol"].unique()}
        if strangers := sorted(named - known):
            raise MarketDataError(
                f"{self.dataset}: no instrument is given for {', '.join(strangers[:10])}"
            )
        return limits_of(self.instruments, self.timeframe, thresholds)

    @cached_property
    def ordered(self) -> pl.DataFrame:
        """The bars sorted by (symbol, ts)."""
        return sort_if_needed(self.bars)

    @cached_property
    def stored(self) -> pl.DataFrame:
        """The symbol-sessions that have bars, see `market_data.ordering.runs`."""
        return runs(self.ordered)

    @cached_property
    def awaited(self) -> pl.DataFrame:
        """The rows of `expected`, each with its `delay`."""
        usual = pl.lit(self.delay, pl.Duration("us"))
        if self.delays is None:
            return self.expected.with_columns(delay=usual)
        own = self.delays.select(*KEY, pl.col("delay").cast(pl.Duration("us")))
        return self.expected.join(own, on=KEY, how="left", maintain_order="left").with_columns(
            pl.col("delay").fill_null(usual)
        )

    @cached_property
    def finished(self) -> pl.DataFrame:
        """Bars that count: inside an expected session, and whole.

        A bar is whole when its end has passed, and was not fetched (raw) or curated (final is
        false) before it. A daily bar over a vendor's own day counts as long as that day may run:
        the vendor cannot have a whole one yet.

        Returns:
            symbol, session, ts, end (never after the session's close), and of the session opens,
            closes, expected; sorted by (symbol, ts).
        """
        hours = self.expected.select(*KEY, "expected", opens="open", closes="close")
        placed = _with_hours(self.ordered, self.stored, hours).with_columns(end=self._end())
        whole = pl.col("fetched_at") >= pl.col("end")
        if self.kind == "curated":
            whole = pl.col("final")
            if not self.timeframe.is_intraday:
                whole = whole | self._runs_on_its_own_day()
        return placed.filter(
            pl.col("ts").is_between("opens", "closes", closed="left"),
            pl.col("end") <= self.now,
            whole,
        ).select(*KEY, "ts", "end", "opens", "closes", "expected")

    @cached_property
    def series(self) -> pl.DataFrame:
        """Whole bars with sound prices, and those around them: SERIES, sorted by (symbol, ts)."""
        own = self.ordered
        if self.finished.height < own.height:
            whole = self.finished.select("symbol", "ts")
            own = own.join(whole, on=["symbol", "ts"], how="semi", maintain_order="left")
        own = _sound(own.select(SERIES))
        repeated = repeats_key(own)
        if repeated is not None:
            own = own.filter(~repeated)
        if self.around is None or self.around.is_empty():
            return own
        return _in_between(own, _sound(self.around.select(SERIES)), self.sessions)

    def _runs_on_its_own_day(self) -> pl.Expr:
        midnight = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        foreign = pl.col("flags").str.contains(FOREIGN_DAY, literal=True)
        return foreign & (midnight + LATEST_DAY_END > self.now)

    def _end(self) -> pl.Expr:
        if not self.timeframe.is_intraday:
            return pl.col("closes")
        return pl.min_horizontal(pl.col("ts") + self.timeframe.duration, "closes")


def _with_hours(bars: pl.DataFrame, sessions: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """The bars of the sessions that have hours, with these."""
    # One look per session, not per bar.
    sessions = sessions.join(hours, on=KEY, how="left", maintain_order="left")
    whose = numbered(sessions.get_column("rows"))
    added = sessions.select(pl.exclude(*KEY, "first", "last", "rows"))[whose]
    return pl.concat([bars, added], how="horizontal").drop_nulls("opens")


def _sound(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars whose prices are positive numbers."""
    sound = [pl.col(c).is_finite() & (pl.col(c) > 0) for c in PRICES]
    if bars.select(pl.all_horizontal(one.all() for one in sound)).item():
        return bars
    return bars.filter(pl.all_horizontal(sound))


def _in_between(
    own: pl.DataFrame, around: pl.DataFrame, sessions: tuple[date, date]
) -> pl.DataFrame:
    """Each symbol's bars between those around them, without sorting the many again."""
    before = around.filter(pl.col("session") < sessions[0]).sort("symbol", "ts")
    after = around.filter(pl.col("session") > sessions[1]).sort("symbol", "ts")
    apart = [f.partition_by("symbol", as_dict=True) for f in (before, own, after)]
    symbols = sorted({symbol for part in apart for symbol in part})
    pieces = [part[symbol] for symbol in symbols for part in apart if symbol in part]
    return pl.concat(pieces, rechunk=True) if pieces else own


def limits_of(
    instruments: Sequence[Instrument], timeframe: Timeframe, thresholds: Thresholds
) -> pl.DataFrame:
    """Columns symbol, asset_class, every limit of `Rules`, and minor_unit; a row per instrument.

    `minor_unit` is whether the instrument is registered in the hundredth part of a currency.
    """
    # Of nobody the columns are those of anybody: where only bars of running sessions are stored,
    # there is nobody to judge.
    classes = sorted({i.asset_class for i in instruments}) or list(AssetClass)
    rules = pl.DataFrame(
        [{"asset_class": str(c), **thresholds.rule(c, timeframe).model_dump()} for c in classes],
        schema_overrides={"stale_warn": pl.Duration("us"), "stale_error": pl.Duration("us")},
    )
    symbols = pl.DataFrame(
        {
            "symbol": [i.symbol for i in instruments],
            "asset_class": [str(i.asset_class) for i in instruments],
            "minor_unit": [i.currency in MINOR_UNITS for i in instruments],
        },
        schema={"symbol": pl.String, "asset_class": pl.String, "minor_unit": pl.Boolean},
    )
    return symbols.join(rules, on="asset_class", how="left", maintain_order="left")
