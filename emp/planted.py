"""Whether the checks found the errors that the sample vendors plant.

What belongs here: from the list of planted errors and what is stored to 'found' or 'not found'.
What does not: the errors (adapters/vendors/sample/faults.py), the checks (market_data/quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import polars as pl

from adapters.vendors.sample.faults import PLANTED, FaultKind, PlantedFault
from market_data.datasets import curated_bars
from market_data.pipeline.inspection import inspect_curated, inspect_raw
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe


class Standing(StrEnum):
    """What became of a planted error."""

    FOUND = "found"
    ARRIVED = "arrived"
    SOUND = "sound"
    MISSED = "NOT FOUND"


@dataclass(frozen=True)
class Verdict:
    """What became of one planted error.

    Attributes:
        fault: the error.
        standing: found; arrived, where a late bar has come since; sound, where a split rightly
            raised no alarm; or not found.
        evidence: where, in a few words.
    """

    fault: PlantedFault
    standing: Standing
    evidence: str

    def sentence(self) -> str:
        """One line for a person."""
        fault = self.fault
        return (
            f"{self.standing:<9}  {fault.kind:<13} {fault.vendor} {fault.symbol:<11} "
            f"{fault.timeframe} {fault.session}: {fault.detail} [{self.evidence}]"
        )


def judge_planted(
    platform: Platform, vendors: Sequence[str], ranges: dict[Timeframe, tuple[date, date]]
) -> list[Verdict]:
    """One verdict per planted error of the vendors."""
    evidence = {t: _Evidence(platform, vendors, t, *span) for t, span in ranges.items()}
    return [
        evidence[fault.timeframe].judge(fault)
        for fault in PLANTED
        if fault.vendor in vendors and fault.timeframe in evidence
    ]


class _Evidence:
    """Everything that was found in the bars of one timeframe."""

    def __init__(
        self,
        platform: Platform,
        vendors: Sequence[str],
        timeframe: Timeframe,
        first: date,
        last: date,
    ) -> None:
        curated = inspect_curated(platform, timeframe, first, last)
        raw = {v: inspect_raw(platform, v, timeframe, first, last).findings for v in vendors}
        self._findings = {v: pl.concat([curated.findings, f]) for v, f in raw.items()}
        self._bars = platform.store.scan(curated_bars(timeframe), sessions=(first, last))
        self._refused = platform.quarantine.read(timeframe=timeframe, sessions=(first, last))
        self._now = platform.clock.now()

    def judge(self, fault: PlantedFault) -> Verdict:
        """Look for the finding, reason of quarantine or flag that the error should cause."""
        if fault.kind is FaultKind.SPLIT:
            return self._without_alarm(fault)
        if fault.visible_from is not None and fault.visible_from <= self._now:
            return Verdict(fault, Standing.ARRIVED, f"there since {fault.visible_from.date()}")
        seen = self._seen(fault)
        if seen:
            return Verdict(fault, Standing.FOUND, ", ".join(seen))
        return Verdict(fault, Standing.MISSED, f"would be {fault.expected}")

    def _without_alarm(self, fault: PlantedFault) -> Verdict:
        alarms = self._at(self._findings[fault.vendor], fault)["code"].unique().sort().to_list()
        if alarms:
            return Verdict(fault, Standing.MISSED, f"false alarm: {', '.join(alarms)}")
        return Verdict(fault, Standing.SOUND, "no alarm, as it should be")

    def _seen(self, fault: PlantedFault) -> list[str]:
        code = fault.expected
        found = self._at(self._findings[fault.vendor], fault).filter(pl.col("code") == code)
        seen = [f"{code} in {dataset}" for dataset in found["dataset"].unique().sort()]
        flagged = self._at(self._bars, fault).filter(_names(code, "flags"))
        if flagged.height:
            seen.append(f"{flagged.height} bars flagged {code}")
        refused = self._at(self._refused, fault).filter(
            (pl.col("vendor") == fault.vendor) & _names(code, "reasons")
        )
        if refused.height:
            seen.append(f"{refused.height} rows in quarantine as {code}")
        return seen

    @staticmethod
    def _at(frame: pl.DataFrame, fault: PlantedFault) -> pl.DataFrame:
        return frame.filter(
            (pl.col("symbol") == fault.symbol) & (pl.col("session") == fault.session)
        )


def _names(code: str, column: str) -> pl.Expr:
    return pl.col(column).str.split(",").list.contains(code)
