"""Bars of several vendors made comparable, so that their closes can be held against each other.

What belongs here: what a drift check compares: fit rows, de-adjusted, in the instrument's
currency, each with the group of bases that it may be compared within; of a vendor that has minutes
alone, the bars that are made of them.
What does not: the comparison (market_data/quality/drift.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.calendars import with_end_of_basis
from market_data.curation.candidates import by_basis, resampled_candidate, with_one_basis
from market_data.curation.preparation import Group, groups_of, prepare
from market_data.curation.resampling import resample
from market_data.curation.split_evidence import SplitsTold
from market_data.curation.stitching import PARTIAL
from market_data.curation.undone_splits import DISPUTED
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from market_data.validation import PriceRange

PEERS = {
    "vendor": pl.String(),
    "symbol": pl.String(),
    "ts": pl.Datetime("us", "UTC"),
    "session": pl.Date(),
    "close": pl.Float64(),
    "basis_group": pl.String(),
}
"""Columns of `comparable`."""


def comparable(
    logs: Sequence[pl.DataFrame],
    *,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    actions: pl.DataFrame,
    thresholds: Thresholds,
    now: datetime,
    minutes: Sequence[pl.DataFrame] = (),
    told: SplitsTold | None = None,
) -> pl.DataFrame:
    """The finished, fit bars of all vendors.

    Args:
        logs: rows of RAW_BARS, the newest revisions, one frame per vendor.
        instruments: at least those that the rows name.
        timeframe: timeframe of the rows.
        actions: rows of CORPORATE_ACTIONS.
        thresholds: for the range of fit prices.
        now: bars that end later are left out, and those that were fetched before their end.
        minutes: like `logs`, of one-minute bars; a vendor speaks through them in sessions in which
            it has no bars of the timeframe itself. Bars that lack minutes are left out.
        told: who told splits; without it `actions` holds them all. Disputed bars are left out.

    Returns:
        Rows of PEERS, one per vendor, symbol, ts and group of bases.
    """
    said, made = [pl.DataFrame(schema=PEERS)], [pl.DataFrame(schema=PEERS)]
    for group, members in groups_of(instruments, [*logs, *minutes]).items():
        symbols = pl.col("symbol").is_in([i.symbol for i in members])
        peers = _Peers(group, timeframe, actions, told, thresholds, now)
        said += [p for log in logs for p in peers.of_bars(log.filter(symbols))]
        made += [p for log in minutes for p in peers.of_minutes(log.filter(symbols))]
    spoken = pl.concat(said)
    session = ["vendor", "symbol", "session", "basis_group"]
    return pl.concat([spoken, pl.concat(made).join(spoken, on=session, how="anti")])


@dataclass(frozen=True)
class _Peers:
    """Rows of PEERS from one vendor's raw bars of instruments that are judged alike."""

    group: Group
    timeframe: Timeframe
    actions: pl.DataFrame
    told: SplitsTold | None
    thresholds: Thresholds
    now: datetime

    def of_bars(self, log: pl.DataFrame) -> list[pl.DataFrame]:
        """Its bars of the timeframe itself."""
        if log.is_empty():
            return []
        fit = self._fit(log, self.timeframe)
        ended = with_end_of_basis(fit, self.group.calendar, self.timeframe).filter(
            pl.col("bar_end") <= pl.min_horizontal("fetched_at", pl.lit(self.now))
        )
        return [
            _peers(found.group, rows) for found, rows in by_basis(ended, self.group, self.timeframe)
        ]

    def of_minutes(self, log: pl.DataFrame) -> list[pl.DataFrame]:
        """The bars that are made of its minutes."""
        if log.is_empty():
            return []
        calendar, parts = self.group.calendar, []
        fit = self._fit(log, Timeframe.M1)
        for found, rows in by_basis(fit, self.group, self.timeframe):
            made = resampled_candidate(
                found,
                resample(with_one_basis(rows), calendar, self.timeframe, self.now),
                calendar=calendar,
                timeframe=self.timeframe,
                rules=self.thresholds.rule(self.group.asset_class, Timeframe.M1),
            ).bars
            whole = pl.col("final") & ~pl.col("flags").str.contains(PARTIAL, literal=True)
            parts.append(_peers(found.group, made.filter(whole)))
        return parts

    def _fit(self, log: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
        rules = self.thresholds.rule(self.group.asset_class, timeframe)
        fit = prepare(
            log,
            group=self.group,
            timeframe=timeframe,
            actions=self.actions,
            told=self.told,
            prices=PriceRange(rules.price_min, rules.price_max),
            now=self.now,
        ).bars
        return fit.filter(~pl.col(DISPUTED))


def _peers(basis_group: str, bars: pl.DataFrame) -> pl.DataFrame:
    return bars.with_columns(basis_group=pl.lit(basis_group)).select(
        pl.col(name).cast(dtype) for name, dtype in PEERS.items()
    )
