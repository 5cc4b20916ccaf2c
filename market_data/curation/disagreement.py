"""What follows where vendors disagree about a session.

What belongs here: which bars are compared, whose bars give way, which sessions are marked. What
does not: the measurement itself (market_data/quality/drift.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from market_data.curation.marks import MARKS, session_marks
from market_data.curation.preference import undecided
from market_data.curation.stitching import PARTIAL, Candidate
from market_data.ordering import runs
from market_data.quality.drift import SESSION_DRIFT, bar_drift
from market_data.quality.thresholds import Rules
from market_data.schemas import RAW_BARS

DRIFT = "drift"
_SESSION = ["symbol", "session"]
_COMPARED = ["vendor", "symbol", "session", "ts", "close", "basis_group"]

JUDGED_DRIFT = {**SESSION_DRIFT, "severity": pl.String(), "quarantined": pl.String()}
"""Columns of `bar_drift` as first measured; its severity (warn, error or null); and the vendors
whose bars of the session gave way, comma-separated."""


@dataclass(frozen=True)
class Settled:
    """Candidates after their disagreements.

    Attributes:
        candidates: without the bars that gave way; those left empty are left out.
        removed: per candidate the bars that gave way.
        marks: rows of MARKS for sessions that still drift.
        drift: rows of JUDGED_DRIFT sorted by (symbol, session).
    """

    candidates: list[Candidate]
    removed: list[Candidate]
    marks: pl.DataFrame
    drift: pl.DataFrame


def settle(
    candidates: Sequence[Candidate], rules: Rules, preferred: pl.DataFrame | None = None
) -> Settled:
    """Compare vendors on equal bases, session by session.

    Above the error limit, with three vendors or more, the bars of the odd one of the session give
    way, until the rest agree or none is odd. Where vendors still drift, the session is marked.
    Bars that are still running are not compared, nor those of which too few minutes are known. A
    vendor speaks through its native bars where it has some in the session, else through its
    resampled ones. Where a preferred vendor speaks, nobody gives way and nothing is marked.

    Args:
        candidates: each (vendor, basis, resampled) once.
        rules: limits of the asset class and timeframe.
        preferred: rows of `market_data.curation.preference.PREFERRED`.
    """
    present = [c for c in candidates if not c.bars.is_empty()]
    nothing = Settled(present, [], pl.DataFrame(schema=MARKS), pl.DataFrame(schema=JUDGED_DRIFT))
    compared = _compared(present)
    if compared is None:
        return nothing
    measured = bar_drift(compared, statistic=rules.drift_statistic)
    severity = (
        pl.when(pl.col("drift") > rules.drift_error)
        .then(pl.lit("error"))
        .when(pl.col("drift") > rules.drift_warn)
        .then(pl.lit("warn"))
    )
    odd, remaining = _give_way(compared, undecided(measured, compared, preferred), rules)
    named = odd.group_by(_SESSION).agg(quarantined=pl.col("vendor").sort().str.join(","))
    drift = (
        measured.with_columns(severity=severity)
        .join(named, on=_SESSION, how="left")
        .with_columns(pl.col("quarantined").fill_null(""))
        .select(list(JUDGED_DRIFT))
        .sort(_SESSION)
    )
    marks = session_marks(remaining.with_columns(severity=severity), DRIFT)
    kept, removed = _apart(present, odd)
    return Settled(kept, removed, marks, drift)


def as_it_came(removed: Candidate, raw: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Bars that gave way as rows of RAW_BARS with `reasons`, ready for quarantine.

    Args:
        removed: a candidate's bars that gave way.
        raw: the frames that native candidates were made from, one vendor each. A resampled bar
            never came: it is kept as it was made, without a fetch.
    """
    if removed.resampled:
        made = removed.bars.with_columns(
            vendor_symbol=pl.lit(""), fetch_id=pl.lit(""), fetched_at="ts", known_at="ts"
        )
        rows = RAW_BARS.conform(made)
    else:
        own = next(r for r in raw if r.height and r.get_column("vendor").item(0) == removed.vendor)
        rows = own.join(removed.bars, on=["symbol", "ts"], how="semi")
    return rows.with_columns(reasons=pl.lit(DRIFT))


def _compared(candidates: Sequence[Candidate]) -> pl.DataFrame | None:
    """The bars of sessions in which at least two vendors speak on one basis; None without any."""
    if len({c.vendor for c in candidates}) < 2:
        return None
    slices = pl.concat(
        runs(c.bars).select(
            *_SESSION,
            vendor=pl.lit(c.vendor),
            group=pl.lit(c.basis_group),
            resampled=pl.lit(c.resampled),
        )
        for c in candidates
    )
    spoken = slices.filter(
        ~pl.col("resampled") | ~(~pl.col("resampled")).any().over(*_SESSION, "vendor", "group")
    )
    contested = spoken.filter(pl.col("vendor").n_unique().over(*_SESSION, "group") > 1)
    if contested.is_empty():
        return None
    parts = []
    for candidate in candidates:
        sessions = contested.filter(
            pl.col("vendor") == candidate.vendor,
            pl.col("group") == candidate.basis_group,
            pl.col("resampled") == candidate.resampled,
        )
        usable = pl.col("final")
        if candidate.resampled:
            usable = usable & ~pl.col("flags").str.contains(PARTIAL, literal=True)
        rows = candidate.bars.filter(usable).select(
            pl.lit(candidate.vendor).alias("vendor"),
            *_SESSION,
            "ts",
            "close",
            pl.lit(candidate.basis_group).alias("basis_group"),
        )
        parts.append(rows.join(sessions, on=_SESSION, how="semi").select(_COMPARED))
    return pl.concat(parts)


def _give_way(
    compared: pl.DataFrame, measured: pl.DataFrame, rules: Rules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Whose bars of which session give way (symbol, session, vendor), and the drift that is left.

    Without the odd vendor the others are measured again: with four vendors two may be odd.
    """
    gone = [compared.select(*_SESSION, "vendor").clear()]
    while True:
        odd = measured.filter(
            pl.col("drift") > rules.drift_error, pl.col("odd_vendor").is_not_null()
        ).select(*_SESSION, vendor="odd_vendor")
        if odd.is_empty():
            return pl.concat(gone), measured
        gone.append(odd)
        compared = compared.join(odd, on=_SESSION, how="semi").join(
            odd, on=[*_SESSION, "vendor"], how="anti"
        )
        again = bar_drift(compared, statistic=rules.drift_statistic)
        measured = pl.concat([measured.join(odd, on=_SESSION, how="anti"), again])


def _apart(
    candidates: Sequence[Candidate], odd: pl.DataFrame
) -> tuple[list[Candidate], list[Candidate]]:
    """Candidates without the bars that give way, and with those alone."""
    kept: list[Candidate] = []
    removed: list[Candidate] = []
    for candidate in candidates:
        own = odd.filter(pl.col("vendor") == candidate.vendor)
        if own.is_empty():
            kept.append(candidate)
            continue
        staying = candidate.bars.join(own, on=_SESSION, how="anti", maintain_order="left")
        leaving = candidate.bars.join(own, on=_SESSION, how="semi", maintain_order="left")
        kept += [replace(candidate, bars=staying)] if staying.height else []
        removed += [replace(candidate, bars=leaving)] if leaving.height else []
    return kept, removed
