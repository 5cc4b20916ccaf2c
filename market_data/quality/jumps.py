"""Jumps: prices that step further than their asset class does, and stay there.

What belongs here: telling a step from what corporate actions and false ticks explain, and a step
by a currency's minor unit from any other. What does not: steps that look like splits of which
nobody told (price_sanity.py), prices that come back (false_ticks.py), which side of a change of the
unit is the wrong one (unit_stretches.py, unit_disputes.py), splits that were worked into a part of
a series (half_splits.py).

Some vendors give London prices now in pounds, now in pence. A step by one hundred, or one
hundredth, of what hardly moves otherwise is that, and never news, also where it is undone so soon
that it looks like a false tick. Where the bars on one side of such a step are known to be the wrong
ones, all of these are told of; where units alternate and nobody can say which is right, all bars
around are; of a step that stands alone the first bar after it.
Which first bars of a series are wrong is told elsewhere (wrong_beginnings.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import ERROR, KEY, WARN, CheckOutcome, findings
from market_data.quality.half_splits import bars_undivided, half_splits
from market_data.quality.jump_sentences import sentence
from market_data.quality.steps import MINOR_UNIT, steps_of
from market_data.quality.unit_disputes import suspect_spans
from market_data.quality.wrong_beginnings import bars_before, wrong_beginnings
from market_data.schemas import UTC

JUMP, UNIT_ERROR, HALF_SPLIT = "jump", "unit_error", "split_in_part"


def find_jumps(
    bars: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    actions: pl.DataFrame,
    false_ticks: pl.DataFrame,
    closes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Find bars that close further from the bar before than `jump` allows, or in another unit.

    Args:
        bars: unadjusted bars: symbol, session, ts, close (positive), sorted by (symbol, ts). The
            first bar of each symbol is context alone.
        limits: see `BarsView.limits`.
        actions: rows of CORPORATE_ACTIONS that are known; what they explain is no jump.
        false_ticks: rows of FALSE_TICKS; neither they nor the bars after them are jumps, unless
            they step by MINOR_UNIT.
        closes: symbol, session, ts, close of the last bar of sessions around `bars`, further than
            these go: changes of the unit are told from them, too. None: `bars` go far enough.

    Returns:
        symbol, session, ts, close, before (the close before, in today's shares and without what
        was paid out), at (close over before), jump (the limit), code (JUMP, UNIT_ERROR or
        HALF_SPLIT), since (of a bar in another unit: `ts` of the change that tells of it, whose
        `before` and `jump` all of them have; else null), until (of bars before a step that are the
        wrong ones: `ts` of the first right one, whose close `before` is then; else null), sure
        (whether it is known that the bar, or the step, is wrong: false of alternating units of
        which nothing decides); sorted by (symbol, ts).
    """
    limit = limits.select("symbol", "jump")
    steps = steps_of(bars, limit, actions)
    series = bars if closes is None else _between(bars, closes)
    whole = steps if closes is None else steps_of(series, limit, actions)
    ticks = false_ticks.select("symbol", "ts")
    others = _without(_plain(steps), ticks)
    halves = half_splits(_without(_plain(whole), ticks), actions, series, limits)
    edge = wrong_beginnings(whole, series)
    units, first = _in_other_unit(whole, edge, bars, series, limits)
    first_right = pl.concat([f.select("symbol", "until") for f in (edge, halves)])
    told = pl.concat(
        [
            others.select(pl.exclude("since"), code=pl.lit(JUMP)),
            first.with_columns(code=pl.lit(UNIT_ERROR)),
        ],
        how="diagonal",
    ).join(first_right, left_on=["symbol", "ts"], right_on=["symbol", "until"], how="anti")
    begun = bars_before(edge, bars).with_columns(code=_code())
    undivided = bars_undivided(halves, bars).with_columns(code=pl.lit(HALF_SPLIT))
    parts = [told, units.with_columns(code=pl.lit(UNIT_ERROR)), begun, undivided]
    found = pl.concat([_NONE, *parts], how="diagonal").select(list(_NONE.columns))
    return found.with_columns(pl.col("sure").fill_null(value=True)).sort("symbol", "ts", "since")


_NONE = pl.DataFrame(
    schema={
        "symbol": pl.String,
        "session": pl.Date,
        "ts": UTC,
        "close": pl.Float64,
        "before": pl.Float64,
        "at": pl.Float64,
        "jump": pl.Float64,
        "code": pl.String,
        "since": UTC,
        "until": UTC,
        "sure": pl.Boolean,
    }
)


def unit_spans(
    closes: pl.DataFrame, limits: pl.DataFrame, *, actions: pl.DataFrame
) -> pl.DataFrame:
    """The times at which a series is, or may be, in the wrong unit.

    Args:
        closes: symbol, session, ts, close, sorted by (symbol, ts).
        limits: see `find_jumps`.
        actions: see `find_jumps`.

    Returns:
        symbol, since, until: see `market_data.quality.unit_disputes.suspect_spans`.
    """
    steps = steps_of(closes, limits.select("symbol", "jump"), actions)
    return _spans(_by_units(steps), wrong_beginnings(steps, closes), closes, limits)


def check_jumps(
    jumps: pl.DataFrame, *, check: str, dataset: str, sessions: tuple[date, date]
) -> CheckOutcome:
    """Report jumps.

    Args:
        jumps: of `find_jumps`.
        check: name of the check that reports them.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        One finding per symbol-session and code. unit_error (error): a step by MINOR_UNIT, and the
        bars that are in the wrong unit by it, or may be; split_in_part (error): bars before a step
        by the ratio of a split that follows; jump (warn): any other step. `value` is the largest
        one as a factor of the price.
    """
    rows = with_severity(jumps.filter(pl.col("session").is_between(*sessions))).with_columns(
        size=pl.col("at").log().abs()
    )
    judged = (
        rows.sort("size", descending=True)
        .group_by(*KEY, "code", "severity", maintain_order=True)
        .agg(
            pl.col("at", "ts", "jump", "before", "close", "since", "until", "sure").first(),
            rows=pl.len().cast(pl.Int64),
        )
        .with_columns(
            value="at",
            threshold=pl.when(pl.col("code") == UNIT_ERROR)
            .then(pl.lit(MINOR_UNIT))
            .otherwise("jump"),
            detail=sentence(),
        )
    )
    shown = rows.drop("size", "code", "severity").sort("session", "symbol", "ts")
    return CheckOutcome(findings(judged, check=check, dataset=dataset), shown)


def with_severity(jumps: pl.DataFrame) -> pl.DataFrame:
    """Adds `severity`: error of bars that are not to be read, else warn."""
    error = pl.col("code").is_in([UNIT_ERROR, HALF_SPLIT])
    return jumps.with_columns(severity=pl.when(error).then(pl.lit(ERROR)).otherwise(pl.lit(WARN)))


def _code() -> pl.Expr:
    other = pl.col("since").is_not_null()
    return pl.when(other).then(pl.lit(UNIT_ERROR)).otherwise(pl.lit(JUMP))


def _plain(steps: pl.DataFrame) -> pl.DataFrame:
    """Those that are no change of the unit."""
    return steps.filter(pl.col("since").is_null())


def _by_units(steps: pl.DataFrame) -> pl.DataFrame:
    return steps.filter(pl.col("since").is_not_null()).sort("symbol", "ts")


def _without(steps: pl.DataFrame, ticks: pl.DataFrame) -> pl.DataFrame:
    """The steps that lead neither to a false tick nor back from one."""
    return steps.join(ticks, on=["symbol", "ts"], how="anti").join(
        ticks, left_on=["symbol", "ts_before"], right_on=["symbol", "ts"], how="anti"
    )


def _in_other_unit(
    whole: pl.DataFrame,
    edge: pl.DataFrame,
    bars: pl.DataFrame,
    series: pl.DataFrame,
    limits: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars in the wrong unit, and the first ones after changes of which nothing is known."""
    steps = _by_units(whole)
    if steps.is_empty():
        return _NONE, steps
    # Few symbols change their unit: the bars of all others are not looked at.
    bars, series = (_of_symbols(f, steps) for f in (bars, series))
    own = steps.join(bars.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
    spans = _spans(steps, edge, series, limits)
    if spans.is_empty():
        return _NONE, own
    told = steps.select("symbol", "before", "jump", "close", step="since")
    # Bars before a change are told of by the first one after it.
    later = pl.col("step") == pl.col("until")
    ends = (
        spans.join(told, on=["symbol", "step"])
        .with_columns(
            before=pl.when(later).then("close").otherwise("before"),
            right=pl.when(later).then("until"),
        )
        .drop("close")
    )
    few = _of_symbols(bars, ends).select(*KEY, "ts", "close").sort("ts")
    meant = [
        few.join_asof(
            of_rank.sort("since"),
            left_on="ts",
            right_on="since",
            by="symbol",
            check_sortedness=False,
        ).filter(pl.col("ts") < pl.col("until"))
        for of_rank in ends.partition_by("rank")
    ]
    within = (
        pl.concat(meant)
        .sort("symbol", "ts", "rank")
        .unique(["symbol", "ts"], keep="first", maintain_order=True)
        .with_columns(at=pl.col("close") / pl.col("before"), since="step", until="right")
        .drop("step", "right", "rank")
    )
    known = pl.concat([spans.select("symbol", ts="step"), spans.select("symbol", ts="until")])
    return within, own.join(known, on=["symbol", "ts"], how="anti")


def _spans(
    steps: pl.DataFrame, edge: pl.DataFrame, series: pl.DataFrame, limits: pl.DataFrame
) -> pl.DataFrame:
    """The spans of `suspect_spans`, of steps by MINOR_UNIT."""
    begins = _of_symbols(series, steps).group_by("symbol")
    minor = limits.filter(pl.col("minor_unit")) if "minor_unit" in limits.columns else limits[:0]
    return suspect_spans(steps, begins.agg(begun=pl.col("ts").min()), minor=minor, edges=edge)


def _of_symbols(bars: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    return bars.filter(pl.col("symbol").is_in(steps.get_column("symbol").unique().implode()))


def _between(bars: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """The bars of each symbol, and those of other sessions around them."""
    columns = [*KEY, "ts", "close"]
    symbols, sessions = bars.select("symbol").unique(), bars.select(KEY).unique()
    others = closes.join(symbols, on="symbol", how="semi").join(sessions, on=KEY, how="anti")
    return pl.concat([bars.select(columns), others.select(columns)]).sort("symbol", "ts")
