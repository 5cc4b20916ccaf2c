"""All checks of a bar dataset in one call.

What belongs here: the entry point, and the checks that are put together of several rules. What does
not: the rules, one module each.
"""

from __future__ import annotations

import polars as pl

from market_data.basis import FOREIGN_DAY
from market_data.errors import MarketDataError
from market_data.ordering import starts_of_runs
from market_data.quality.consistency import check_against_intraday, check_phantom_dividends
from market_data.quality.coverage import check_coverage, measure_coverage
from market_data.quality.drift import SESSION_DRIFT, bar_drift
from market_data.quality.duplicates import check_duplicates
from market_data.quality.expectations import (
    NOTHING_EXPECTED,
    Expectations,
    check_expectations,
)
from market_data.quality.false_ticks import check_false_ticks, find_false_ticks
from market_data.quality.fetch_times import check_fetch_times
from market_data.quality.findings import (
    KEY,
    SAMPLE_ROWS,
    WARN,
    CheckOutcome,
    findings,
    grade,
    per_cent,
    together,
)
from market_data.quality.flat_runs import check_flat_runs, find_flat_runs
from market_data.quality.jumps import check_jumps, find_jumps
from market_data.quality.ohlc import check_ohlc
from market_data.quality.repeated_bars import check_repeated_bars, find_repeated_bars
from market_data.quality.schema import check_schema, not_judged
from market_data.quality.staleness import check_staleness
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import BarsView
from market_data.quality.volume import check_volume, with_sessions_before
from market_data.quality.wicks import check_wicks, find_wicks

__all__ = ["CHECKS", "OF_SERIES", "BarsView", "check_drift", "evaluate_bars", "evaluate_series"]

CHECKS = (
    "schema",
    "coverage",
    "staleness",
    "drift",
    "duplicates",
    "ohlc",
    "price_sanity",
    "false_ticks",
    "volume",
    "consistency",
)
OF_SERIES = ("price_sanity", "false_ticks", "volume")
"""Checks that look at bars beside each other: what they say of a session may change with the bars
of the sessions around it."""


def evaluate_bars(
    view: BarsView, thresholds: Thresholds, expectations: Expectations = NOTHING_EXPECTED
) -> dict[str, CheckOutcome]:
    """Judge a slice of a bar dataset.

    Args:
        view: the slice, and what it should hold.
        thresholds: the limits.
        expectations: what sessions are expected to hold beside.

    Returns:
        One outcome per name in CHECKS. Where the bars have not the promised columns or types, the
        other checks report `not_judged` (error) instead of passing.

    Raises:
        MarketDataError: the bars or expectations name a symbol without an instrument.
    """
    schema = check_schema(view.bars, view.schema, dataset=view.dataset, expected=view.expected)
    if view.bars.columns != view.schema.names or dict(view.bars.schema) != view.schema.dtypes:
        return {"schema": schema} | {name: not_judged(name, schema) for name in CHECKS[1:]}
    limits = view.limits(thresholds)
    coverage = measure_coverage(view)
    return {
        "schema": schema,
        "coverage": together(
            [
                check_coverage(view, limits, coverage),
                check_expectations(view, coverage, expectations),
            ]
        ),
        "staleness": together([check_staleness(view, limits, coverage), check_fetch_times(view)]),
        "drift": check_drift(view, limits),
        "duplicates": check_duplicates(view),
        "ohlc": check_ohlc(view, limits),
        **evaluate_series(view, limits),
        "consistency": _consistency(view, limits),
    }


def evaluate_series(view: BarsView, limits: pl.DataFrame) -> dict[str, CheckOutcome]:
    """Judge the bars of a slice beside each other.

    Args:
        view: the slice, whose bars have the promised columns and types.
        limits: see `BarsView.limits`.

    Returns:
        One outcome per name in OF_SERIES.
    """
    series, dataset, sessions = view.series, view.dataset, view.sessions
    ticks = find_false_ticks(series, limits, timeframe=view.timeframe)
    sanity = [
        check_flat_runs(
            find_flat_runs(series, view.timeframe),
            limits,
            check="price_sanity",
            dataset=dataset,
            sessions=sessions,
        ),
        check_repeated_bars(
            find_repeated_bars(series, limits, view.timeframe),
            view.timeframe,
            check="price_sanity",
            dataset=dataset,
            sessions=sessions,
        ),
    ]
    if view.kind == "curated":
        # A vendor's own prices step where it has worked in a split between two fetches.
        jumps = find_jumps(
            series, limits, actions=view.actions, false_ticks=ticks, closes=view.closes
        )
        sanity.append(check_jumps(jumps, check="price_sanity", dataset=dataset, sessions=sessions))
    return {
        "price_sanity": together(sanity),
        "false_ticks": together(
            [
                check_false_ticks(ticks, dataset=dataset, sessions=sessions),
                check_wicks(
                    find_wicks(series, limits, timeframe=view.timeframe),
                    dataset=dataset,
                    sessions=sessions,
                ),
            ]
        ),
        "volume": check_volume(
            _traded(view, series), limits, actions=view.actions, dataset=dataset, sessions=sessions
        ),
    }


def _traded(view: BarsView, series: pl.DataFrame) -> pl.DataFrame:
    """Volumes of sessions that are not running, and of those before."""
    volumes = with_sessions_before(series, view.volumes, view.sessions[0])
    running = view.awaited.filter(pl.col("close") + pl.col("delay") > view.now)
    if running.is_empty():
        return volumes
    return volumes.join(running, on=KEY, how="anti", maintain_order="left")


def _consistency(view: BarsView, limits: pl.DataFrame) -> CheckOutcome:
    if view.timeframe.is_intraday or view.kind == "raw":
        return CheckOutcome()
    found = [check_phantom_dividends(view.actions, dataset=view.dataset, sessions=view.sessions)]
    if view.within is not None:
        foreign = pl.col("flags").str.contains(FOREIGN_DAY, literal=True)
        days = view.bars.filter(pl.col("final") & ~foreign)
        found.append(check_against_intraday(days, view.within, limits, dataset=view.dataset))
    return together(found)


def check_drift(view: BarsView, limits: pl.DataFrame) -> CheckOutcome:
    """Judge how far vendors disagree, by the statistic of each asset class.

    Codes: drift_outlier, where three vendors or more meet and one stands apart; drift, where none
    can be told to be wrong. Severity warn or error by the limits; in a raw dataset an outlier of
    another vendor is a warning at most.

    Args:
        view: the slice; nothing is judged without `peers`.
        limits: see `BarsView.limits`.

    Returns:
        An outcome whose `measured` has the columns of SESSION_DRIFT, one row where vendors meet.

    Raises:
        MarketDataError: `peers` leave out the own bars of a raw dataset.
    """
    peers = _comparable(view)
    if peers is None:
        return CheckOutcome(rows=pl.DataFrame(), measured=pl.DataFrame(schema=SESSION_DRIFT))
    statistics = dict(limits.select("symbol", "drift_statistic").rows())
    measured = bar_drift(peers, statistic=statistics)
    severity, threshold = grade("drift", "drift_warn", "drift_error")
    known = pl.col("odd_vendor").is_not_null()
    others = ~pl.col("odd_vendor").is_in(_own(view)) & known & (view.kind == "raw")
    judged = (
        measured.join(limits, on="symbol")
        .with_columns(severity, threshold)
        .drop_nulls("severity")
        .with_columns(
            severity=pl.when(others).then(pl.lit(WARN)).otherwise("severity"),
            code=pl.when(known).then(pl.lit("drift_outlier")).otherwise(pl.lit("drift")),
            value="drift",
            rows="bars",
            detail=_sentence(),
        )
    )
    # Moments are compared before names are: few bars of the many are left then.
    then = peers.filter(pl.col("ts").is_in(judged.get_column("worst_ts").unique().implode()))
    rows = then.join(judged.select(*KEY, ts="worst_ts"), on=[*KEY, "ts"], how="semi").sort(
        "session", "symbol", "ts", "vendor"
    )
    return CheckOutcome(
        findings(judged, check="drift", dataset=view.dataset), rows.head(SAMPLE_ROWS), measured
    )


def _comparable(view: BarsView) -> pl.DataFrame | None:
    """The bars to compare; in a raw dataset only those that its own vendor has too."""
    if view.peers is None:
        return None
    first, last = view.sessions
    peers = view.peers.filter(pl.col("session").is_between(first, last))
    known = _of_sessions(peers, view.expected)
    if view.kind == "curated":
        return known
    own = known.filter(pl.col("vendor").is_in(_own(view)))
    if own.is_empty() and not known.is_empty() and not view.finished.is_empty():
        raise MarketDataError(
            f"{view.dataset}: `peers` must hold the dataset's own bars too, or nothing is compared"
        )
    return known.join(own, on=["symbol", "ts", "basis_group"], how="semi", maintain_order="left")


def _of_sessions(bars: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    """The bars of expected symbol-sessions. Most often all are, which a look at each tells."""
    held = bars.filter(starts_of_runs(bars)).select(KEY)
    if held.join(expected, on=KEY, how="anti").is_empty():
        return bars
    return bars.join(expected.select(KEY), on=KEY, how="semi", maintain_order="left")


def _own(view: BarsView) -> list[str]:
    """The vendor of a raw dataset."""
    return view.bars.get_column("vendor").unique().to_list() if view.kind == "raw" else []


def _sentence() -> pl.Expr:
    spread = pl.format(
        "{} vendors differ by {} ({} of {} bars), most at {}",
        "vendors",
        per_cent("drift"),
        "drift_statistic",
        "bars",
        pl.col("worst_ts").dt.strftime("%Y-%m-%d %H:%M"),
    )
    apart = pl.format("; {} stands apart", "odd_vendor")
    return pl.when(pl.col("odd_vendor").is_not_null()).then(spread + apart).otherwise(spread)
