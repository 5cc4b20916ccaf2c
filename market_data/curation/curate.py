"""Raw bars in, one trusted series out: the rules of curation put together.

What belongs here: the order of the steps and what each finding does to the data. What does not:
the steps themselves (candidates.py, disagreement.py, stitching.py, resampling.py),
reading and writing (market_data/pipeline).

Curation is pure, deterministic and local to a session: the same rows in any order give the same
frame, and curating a range at once equals curating its sessions one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from market_data.calendars import expected_bars, with_end_of_basis
from market_data.curation.candidates import (
    by_basis,
    native_candidate,
    resampled_candidate,
    with_one_basis,
)
from market_data.curation.disagreement import JUDGED_DRIFT, as_it_came, settle
from market_data.curation.marks import MARKS, session_marks, with_marks
from market_data.curation.preference import put_first
from market_data.curation.preparation import COUNTS, Group, Prepared, groups_of, prepare
from market_data.curation.resampling import resample
from market_data.curation.split_evidence import SplitsTold
from market_data.curation.stitching import Candidate, stitch
from market_data.errors import MarketDataError
from market_data.ordering import runs, sort_if_needed
from market_data.quality.thresholds import Thresholds
from market_data.quarantine import quarantine_bars
from market_data.schemas import CORPORATE_ACTIONS, CURATED_BARS, QUARANTINE
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from market_data.validation import PriceRange

COVERAGE = "coverage"
_COUNT_KEYS = ["vendor", "timeframe", "symbol", "session"]
_SLACK = timedelta(days=3)
"""No bar ends so long after its nominal end. A day of a vendor's own that begins late on its date,
far in the west, ends two and a half days later than the nominal day of a session that opened on
the evening before."""


@dataclass(frozen=True)
class CurationInput:
    """Everything that decides the curated bars of some symbols.

    Attributes:
        timeframe: timeframe to curate.
        native: rows of RAW_BARS of that timeframe, any vendors, the newest revision of each bar.
        minutes: rows of RAW_BARS of one-minute bars to resample from; none for 1m itself.
        instruments: instruments of all symbols.
        order: per asset class the vendors of the timeframe, best first.
        thresholds: limits.
        now: bars ending later are not final, bars starting later are refused.
        rule_versions: per asset class the version of the rules, written to each row.
        actions: rows of CORPORATE_ACTIONS that were known by `now`.
        actions_since: rows of CORPORATE_ACTIONS known by today, where `now` lies in the past: the
            prices that were fetched since are divided by splits of which `now` had not heard.
        told: who told splits, so that a symbol without one is known to have none; without it
            `actions` counts as complete.
        preferred: rows of `market_data.curation.preference.PREFERRED`: who was said to be right.
    """

    timeframe: Timeframe
    native: Sequence[pl.DataFrame]
    instruments: Sequence[Instrument]
    order: Mapping[AssetClass, Sequence[str]]
    thresholds: Thresholds
    now: datetime
    rule_versions: Mapping[AssetClass, str]
    minutes: Sequence[pl.DataFrame] = ()
    actions: pl.DataFrame | None = None
    actions_since: pl.DataFrame | None = None
    told: SplitsTold | None = None
    preferred: pl.DataFrame | None = None


@dataclass(frozen=True)
class CurationResult:
    """What became of the raw bars.

    Attributes:
        bars: rows of CURATED_BARS sorted by (symbol, ts).
        quarantined: rows of QUARANTINE.
        drift: rows of JUDGED_DRIFT: how far vendors disagreed, and what was done about it.
        counts: rows of COUNTS.
    """

    bars: pl.DataFrame
    quarantined: pl.DataFrame
    drift: pl.DataFrame
    counts: pl.DataFrame


def curate(given: CurationInput) -> CurationResult:
    """Curate bars of one timeframe.

    Raises:
        MarketDataError: a raw row names a symbol that is not among the instruments.
    """
    if given.minutes and given.timeframe is Timeframe.M1:
        raise MarketDataError("one-minute bars are not resampled; give them as native bars")
    native, minutes = by_vendor(given.native), by_vendor(given.minutes)
    groups = groups_of(given.instruments, [*native, *minutes])
    results = [
        _Curation(given, group, symbols).run(native, minutes) for group, symbols in groups.items()
    ]
    empty = CurationResult(
        CURATED_BARS.empty(),
        QUARANTINE.empty(),
        pl.DataFrame(schema=JUDGED_DRIFT),
        pl.DataFrame(schema=COUNTS),
    )
    if len(results) == 1:
        return results[0]
    parts = [empty, *results]
    return CurationResult(
        sort_if_needed(pl.concat(p.bars for p in parts)),
        pl.concat(p.quarantined for p in parts).sort("symbol", "ts", "row_id"),
        pl.concat(p.drift for p in parts).sort("symbol", "session"),
        pl.concat(p.counts for p in parts).sort(_COUNT_KEYS),
    )


def by_vendor(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """The rows apart by vendor, one frame each, in the order of the vendors' names."""
    apart: dict[str, list[pl.DataFrame]] = {}
    for frame in frames:
        vendors = frame.get_column("vendor").unique().sort().to_list()
        for vendor in vendors:
            rows = frame if len(vendors) == 1 else frame.filter(pl.col("vendor") == vendor)
            apart.setdefault(vendor, []).append(rows)
    return [pl.concat(parts) for _, parts in sorted(apart.items())]


def prepared(
    given: CurationInput, group: Group, raw: pl.DataFrame, timeframe: Timeframe
) -> Prepared:
    """One vendor's rows of a group after the steps that need no other vendor.

    Args:
        given: the curation.
        group: whose symbols all rows are.
        raw: rows of RAW_BARS.
        timeframe: of the rows: that of the curation, or minutes.
    """
    rules = given.thresholds.rule(group.asset_class, timeframe)
    return prepare(
        raw,
        group=group,
        timeframe=timeframe,
        actions=CORPORATE_ACTIONS.empty() if given.actions is None else given.actions,
        actions_since=given.actions_since,
        told=given.told,
        prices=PriceRange(rules.price_min, rules.price_max),
        now=given.now,
    )


class _Curation:
    """The steps for instruments of one asset class and calendar."""

    def __init__(
        self, given: CurationInput, group: Group, instruments: Sequence[Instrument]
    ) -> None:
        self._given = given
        self._group = group
        self._symbols = [i.symbol for i in instruments]
        self._instruments = instruments
        self._order = tuple(given.order.get(group.asset_class, ()))
        self._rules = given.thresholds.rule(group.asset_class, given.timeframe)
        self._minute_rules = given.thresholds.rule(group.asset_class, Timeframe.M1)
        self._quarantined: list[pl.DataFrame] = []
        self._counts: list[pl.DataFrame] = []

    def run(
        self, native: Sequence[pl.DataFrame], minutes: Sequence[pl.DataFrame]
    ) -> CurationResult:
        """Curate this group's rows of the vendors' frames."""
        own = [self._own(raw) for raw in native]
        candidates = [c for raw in own for c in self._native(raw)]
        candidates += [c for raw in minutes for c in self._resampled(self._own(raw))]
        preferred = self._given.preferred
        settled = settle(candidates, self._rules, preferred)
        for removed in settled.removed:
            self._refuse(as_it_came(removed, own), self._given.timeframe)
        if settled.candidates:
            stitched = stitch(put_first(settled.candidates, preferred), self._order)
            bars = self._finished(stitched, settled.marks)
        else:
            bars = CURATED_BARS.empty()
        return CurationResult(
            bars,
            pl.concat([QUARANTINE.empty(), *self._quarantined]).sort("symbol", "ts", "row_id"),
            settled.drift,
            pl.concat([pl.DataFrame(schema=COUNTS), *self._counts]).sort(_COUNT_KEYS),
        )

    def _own(self, raw: pl.DataFrame) -> pl.DataFrame:
        """The rows of this group's symbols."""
        if raw.get_column("symbol").unique().is_in(self._symbols).all():
            return raw
        return raw.filter(pl.col("symbol").is_in(self._symbols))

    def _native(self, raw: pl.DataFrame) -> list[Candidate]:
        """Candidates of one vendor's bars of the timeframe itself."""
        given = self._given
        if raw.is_empty():
            return []
        fit = self._prepared(raw, given.timeframe)
        return [
            native_candidate(found, self._with_final(rows))
            for found, rows in by_basis(fit, self._group, given.timeframe)
        ]

    def _resampled(self, raw: pl.DataFrame) -> list[Candidate]:
        """Candidates made of one vendor's one-minute bars."""
        if raw.is_empty():
            return []
        fit = self._prepared(raw, Timeframe.M1)
        calendar, timeframe = self._group.calendar, self._given.timeframe
        return [
            resampled_candidate(
                found,
                resample(with_one_basis(rows), calendar, timeframe, self._given.now),
                calendar=calendar,
                timeframe=timeframe,
                rules=self._minute_rules,
            )
            for found, rows in by_basis(fit, self._group, timeframe)
        ]

    def _prepared(self, raw: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
        found = prepared(self._given, self._group, raw, timeframe)
        self._refuse(found.refused, timeframe)
        self._counts.append(found.counts)
        return found.bars

    def _refuse(self, rows: pl.DataFrame, timeframe: Timeframe) -> None:
        if not rows.is_empty():
            self._quarantined.append(
                quarantine_bars(rows, timeframe=timeframe, seen_at=self._given.now)
            )

    def _with_final(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Adds `final`: the bar's period is over, and was when the bar was fetched."""
        timeframe = self._given.timeframe
        until = pl.min_horizontal("fetched_at", pl.lit(self._given.now))
        if bars.select((pl.col("ts") + timeframe.duration + _SLACK <= until).all()).item():
            return bars.with_columns(final=pl.lit(value=True))
        ended = with_end_of_basis(bars, self._group.calendar, timeframe)
        return ended.with_columns(final=pl.col("bar_end") <= until)

    def _finished(self, stitched: pl.DataFrame, drift: pl.DataFrame) -> pl.DataFrame:
        """Stitched bars with the marks of their sessions, exactly the columns of CURATED_BARS."""
        marked = with_marks(stitched, [drift, self._coverage(stitched)])
        version = self._given.rule_versions[self._group.asset_class]
        return marked.with_columns(rule_version=pl.lit(version)).select(CURATED_BARS.names)

    def _coverage(self, stitched: pl.DataFrame) -> pl.DataFrame:
        """Marks of the sessions that are over and lack too many of their bars."""
        observed = runs(stitched)
        if observed.is_empty():
            return pl.DataFrame(schema=MARKS)
        first, last = observed.select(
            first=pl.col("session").min(), last=pl.col("session").max()
        ).row(0)
        expected = expected_bars(self._instruments, self._given.timeframe, first, last)
        share = pl.col("rows") / pl.col("expected")
        judged = (
            observed.join(expected, on=["symbol", "session"])
            .filter(pl.col("close") <= self._given.now)
            .with_columns(
                severity=pl.when(share < self._rules.coverage_error)
                .then(pl.lit("error"))
                .when(share < self._rules.coverage_warn)
                .then(pl.lit("warn"))
            )
        )
        return session_marks(judged, COVERAGE)
