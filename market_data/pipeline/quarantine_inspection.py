"""Inspect the log of refused rows: what its checks find in a range of sessions.

What belongs here: what curation refuses now, told without making bars where that is possible, and
how much was refused in the sessions before. What does not: judging
(market_data/quality/quarantine_checks.py), Dagster's form of a result (emp_assets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from market_data.curation.disagreement import DRIFT
from market_data.curation.refusals import refused_rows
from market_data.pipeline.curate import chunks, curate_slice, slice_input, step_days
from market_data.pipeline.inspection import Inspection, without_accepted
from market_data.pipeline.platform import Platform
from market_data.pipeline.views import kept_symbols
from market_data.ports import Refused
from market_data.quality.findings import KEY, together
from market_data.quality.quarantine_checks import (
    CHECKS,
    DATASET,
    SHARES,
    evaluate_quarantine,
)
from market_data.schemas import FINDINGS, QUARANTINE
from market_data.timeframes import Timeframe

HISTORY = timedelta(days=45)
"""How far back the sessions lie that a session is compared with."""
_CROWD = 3
"""So many vendors can tell which of them is wrong: the odd one's bars are refused."""
_SAMPLE = 200
_SPOKEN = {"vendor": pl.String(), "symbol": pl.String(), "session": pl.Date()}
_Span = tuple[date, date]


class QuarantineInspection(Inspection):
    """What the checks found; nothing of it stops what is downstream."""

    def block_reasons(self, symbols: Sequence[str] | None) -> list[str]:  # noqa: ARG002
        """None: bars are made without the log, and what it lacks is told of."""
        return []


def inspect_quarantine(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the log: whether it holds what curation refuses, no more, and not more than usual."""
    known = [i.symbol for i in platform.universe.instruments]
    outcomes, held = [], []
    for span in chunks(first, last, step_days(platform, Timeframe.D1)):
        before = _log(platform, known, span)
        refused, tried = _refused_now(platform, set(known), span)
        # Looked at once more: what a run that curates meanwhile has kept is not missing, and what
        # it has refused by bars that came since says nothing of the rules.
        log = _log(platform, known, span)
        old = [*_open(before), *refused["row_id"]]
        judged = log.filter((pl.col("status") != "open") | pl.col("row_id").is_in(old))
        keys = pl.concat([tried, judged.select(KEY)]).unique().sort(KEY)
        held.append(keys)
        outcomes.append(
            evaluate_quarantine(
                judged,
                refused,
                _shares(platform, known, span),
                held=keys,
                sessions=span,
                refused_shift=platform.thresholds.quarantine.refused_shift,
            )
        )
    checks = {name: together([o[name] for o in outcomes]) for name in CHECKS}
    found = pl.concat([FINDINGS.empty(), *(o.findings for o in checks.values())])
    still_open, accepted = without_accepted(
        platform, found.sort("session", "symbol", "check", "code")
    )
    return QuarantineInspection(
        dataset=DATASET,
        findings=still_open,
        rows={name: outcome.rows.head(_SAMPLE) for name, outcome in checks.items()},
        measured={name: outcome.measured for name, outcome in checks.items()},
        held=pl.concat(held),
        platform=platform,
        timeframe=Timeframe.D1,
        accepted=accepted,
    )


def _log(platform: Platform, symbols: Sequence[str], span: _Span) -> pl.DataFrame:
    """Rows of REFUSED_ROWS; of symbols that no rules are in force for nothing can be said."""
    return platform.quarantine.entries(Refused(symbols=symbols, sessions=span))


def _open(log: pl.DataFrame) -> pl.Series:
    return log.filter(pl.col("status") == "open").get_column("row_id")


def _refused_now(
    platform: Platform, known: set[str], span: _Span
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of QUARANTINE that curation refuses of the raw bars, and the slices that have some."""
    refused = [QUARANTINE.empty()]
    spoken: dict[Timeframe, pl.DataFrame] = {}
    for timeframe in Timeframe:
        asked = platform.ledger.spans(timeframe=timeframe).filter(
            pl.col("symbol").is_in(list(known)),
            pl.col("first") <= span[1],
            pl.col("last") >= span[0],
        )
        if asked.is_empty():
            continue
        given = slice_input(platform, timeframe, sorted(asked["symbol"]), *span, resampled=False)
        refused.append(refused_rows(given))
        spoken[timeframe] = pl.concat(
            [pl.DataFrame(schema=_SPOKEN), *(f.select(list(_SPOKEN)) for f in given.native)]
        ).unique()
    refused += _gave_way(platform, spoken)
    tried = [pl.DataFrame(schema=_SPOKEN).select(KEY), *(f.select(KEY) for f in spoken.values())]
    return pl.concat(refused).unique("row_id", maintain_order=True), pl.concat(tried).unique()


def _gave_way(platform: Platform, spoken: Mapping[Timeframe, pl.DataFrame]) -> list[pl.DataFrame]:
    """Bars that give way to those of other vendors, where enough of them speak to tell."""
    nobody = pl.DataFrame(schema=_SPOKEN)
    minutes = spoken.get(Timeframe.M1, nobody)
    found = []
    for timeframe in Timeframe:
        several = (
            pl.concat([spoken.get(timeframe, nobody), minutes])
            .group_by(KEY)
            .agg(pl.col("vendor").n_unique())
            .filter(pl.col("vendor") >= _CROWD)
        )
        if several.is_empty():
            continue
        crowded = several.filter(pl.col("symbol").is_in(kept_symbols(platform, timeframe)))
        for (symbol,), own in crowded.group_by("symbol", maintain_order=True):
            days = own["session"].sort()
            made = curate_slice(platform, timeframe, [str(symbol)], days[0], days[-1])
            found.append(made.quarantined.filter(pl.col("reasons") == DRIFT))
    return found


def _shares(platform: Platform, known: Sequence[str], span: _Span) -> pl.DataFrame:
    """Rows of SHARES of the symbols and timeframes of which anything of the range is refused."""
    begin = span[0] - HISTORY
    parts = [pl.DataFrame(schema=SHARES)]
    for timeframe in Timeframe:
        now = _counts(platform, timeframe, span).filter(pl.col("symbol").is_in(list(known)))
        symbols = now["symbol"].unique().sort().to_list()
        if not symbols:
            continue
        refused = _counts(platform, timeframe, (begin, span[1]))
        came = platform.ledger.read(timeframe=timeframe, symbols=symbols, sessions=(begin, span[1]))
        parts.append(
            came.filter(pl.col("rows") > 0)
            .group_by(KEY)
            .agg(pl.col("rows").sum())
            .join(refused, on=KEY, how="full", coalesce=True)
            .filter(pl.col("symbol").is_in(symbols))
            .with_columns(pl.col("rows", "refused", "unread").fill_null(0))
            # The ledger counts bars: rows that a reader refused are none.
            .with_columns(rows=pl.col("rows") + pl.col("unread"), timeframe=pl.lit(str(timeframe)))
            .select(pl.col(name).cast(dtype) for name, dtype in SHARES.items())
        )
    return pl.concat(parts)


def _counts(platform: Platform, timeframe: Timeframe, span: _Span) -> pl.DataFrame:
    """symbol, session, refused, unread: open rows, and those of them that a reader refused."""
    unread = pl.col("rows").filter(pl.col("stage") == "fetch").sum()
    counts = platform.quarantine.counts(timeframe=timeframe, sessions=span)
    return counts.group_by(KEY).agg(refused=pl.col("rows").sum(), unread=unread)
