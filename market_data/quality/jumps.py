"""Jumps: prices that step further than their asset class does, and stay there.

What belongs here: telling a step from what corporate actions and false ticks explain, and a step
by a currency's minor unit from any other. What does not: steps that look like splits of which
nobody told (price_sanity.py), prices that come back (false_ticks.py), which side of a change of the
unit is the wrong one (unit_stretches.py).

Some vendors give London prices now in pounds, now in pence. A step by one hundred, or one
hundredth, of what hardly moves otherwise is that, and never news, also where it is undone so soon
that it looks like a false tick. Where the bars between two such steps are known to be the wrong
ones, all of these are told of; where nobody can say which side is, the first bar after each step.
Which first bars of a series are wrong is told elsewhere (wrong_beginnings.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import ERROR, KEY, WARN, CheckOutcome, findings
from market_data.quality.unit_stretches import wrong_stretches
from market_data.quality.wrong_beginnings import bars_before, wrong_beginnings
from market_data.schemas import UTC

UNIT_ERROR = "unit_error"
MINOR_UNIT = 100.0
UNIT_TOLERANCE = 0.1
"""Relative: what the price itself may have moved in between."""


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
        was paid out), at (close over before), jump (the limit), since (of a bar in another unit:
        `ts` of the first one, whose `before` and `jump` all of them have; else null), until (of
        the first bars of a series, where these are wrong: `ts` of the first right one, whose close
        `before` is then, and `since`, if they are in another unit; else null); sorted by (symbol,
        ts).
    """
    shown = ["symbol", "session", "ts", "close", "before", "at", "jump", "since"]
    limit = limits.select("symbol", "jump")
    steps = _steps(bars, limit, actions)
    series = bars if closes is None else _between(bars, closes)
    whole = steps if closes is None else _steps(series, limit, actions)
    by_unit = whole.filter(pl.col("since").is_not_null()).sort("symbol", "ts")
    ticks = false_ticks.select("symbol", "ts")
    others = (
        steps.filter(pl.col("since").is_null())
        .join(ticks, on=["symbol", "ts"], how="anti")
        .join(ticks, left_on=["symbol", "ts_before"], right_on=["symbol", "ts"], how="anti")
    )
    edge = wrong_beginnings(whole, series)
    told = pl.concat([others.select(shown), _in_other_unit(by_unit, bars).select(shown)])
    right = told.join(edge, left_on=["symbol", "ts"], right_on=["symbol", "until"], how="anti")
    parts = [right.with_columns(until=pl.lit(None, UTC)), bars_before(edge, bars)]
    return pl.concat(p.select(*shown, "until") for p in parts).sort("symbol", "ts", "since")


def unit_stretches(
    closes: pl.DataFrame, limits: pl.DataFrame, *, actions: pl.DataFrame
) -> pl.DataFrame:
    """The times at which a series is in the wrong unit.

    Args:
        closes: symbol, session, ts, close, sorted by (symbol, ts).
        limits: see `find_jumps`.
        actions: see `find_jumps`.

    Returns:
        symbol, since, until: see `market_data.quality.unit_stretches.wrong_stretches`.
    """
    steps = _steps(closes, limits.select("symbol", "jump"), actions)
    return wrong_stretches(steps.filter(pl.col("since").is_not_null()).sort("symbol", "ts"))


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
        bars until the step back; jump (warn): any other step. `value` is the largest one as a
        factor of the price.
    """
    rows = with_codes(jumps.filter(pl.col("session").is_between(*sessions))).with_columns(
        size=pl.col("at").log().abs()
    )
    judged = (
        rows.sort("size", descending=True)
        .group_by(*KEY, "code", "severity", maintain_order=True)
        .agg(
            pl.col("at", "ts", "jump", "before", "close", "since", "until").first(),
            rows=pl.len().cast(pl.Int64),
        )
        .with_columns(
            value="at",
            threshold=pl.when(pl.col("code") == UNIT_ERROR)
            .then(pl.lit(MINOR_UNIT))
            .otherwise("jump"),
            detail=_sentence(),
        )
    )
    shown = rows.drop("size", "code", "severity").sort("session", "symbol", "ts")
    return CheckOutcome(findings(judged, check=check, dataset=dataset), shown)


def with_codes(jumps: pl.DataFrame) -> pl.DataFrame:
    """Adds `code` and `severity`: unit_error (error) for bars in another unit, else jump (warn)."""
    other = pl.col("since").is_not_null()
    code = pl.when(other).then(pl.lit(UNIT_ERROR)).otherwise(pl.lit("jump"))
    error = pl.when(pl.col("code") == UNIT_ERROR).then(pl.lit(ERROR))
    return jumps.with_columns(code=code).with_columns(severity=error.otherwise(pl.lit(WARN)))


def _by_unit() -> pl.Expr:
    distance = (pl.col("at").log().abs() - pl.lit(MINOR_UNIT).log()).abs()
    return distance <= pl.lit(1 + UNIT_TOLERANCE).log()


def _in_other_unit(steps: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The bars in the wrong unit; of steps by MINOR_UNIT that enclose none, their own bars."""
    own = steps.join(bars.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
    stretches = wrong_stretches(steps)
    if stretches.is_empty():
        return own
    first = steps.select("symbol", "since", "before", "jump")
    ends = stretches.join(first, on=["symbol", "since"]).sort("since")
    within = (
        bars.filter(pl.col("symbol").is_in(ends["symbol"].unique().implode()))
        .select(*KEY, "ts", "close")
        .sort("ts")
        .join_asof(ends, left_on="ts", right_on="since", by="symbol", check_sortedness=False)
        .filter(pl.col("ts") < pl.col("until"))
        .with_columns(at=pl.col("close") / pl.col("before"))
    )
    told = pl.concat([ends.select("symbol", ts="since"), ends.select("symbol", ts="until")])
    left = own.join(told, on=["symbol", "ts"], how="anti")
    return pl.concat([left, within.select(pl.exclude("until"))], how="diagonal")


def _between(bars: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """The bars of each symbol, and those of other sessions around them."""
    columns = [*KEY, "ts", "close"]
    symbols, sessions = bars.select("symbol").unique(), bars.select(KEY).unique()
    others = closes.join(symbols, on="symbol", how="semi").join(sessions, on=KEY, how="anti")
    return pl.concat([bars.select(columns), others.select(columns)]).sort("symbol", "ts")


def _steps(bars: pl.DataFrame, limit: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Bars that step too far, but for what actions explain, with `at`, and `since` by unit."""
    beyond = (pl.col("close") / pl.col("before") - 1).abs() > pl.col("jump")
    stepped = _stepped(bars, limit, actions).join(limit, on="symbol", maintain_order="left")
    # A split of which the price knows nothing is a step too, in shares of before.
    far = stepped.filter(beyond | pl.col("split_due"))
    if far.is_empty():
        return far.with_columns(at="close", since="ts")
    explained = _explained(far, actions).with_columns(at=pl.col("close") / pl.col("before"))
    return explained.filter(beyond).with_columns(since=pl.when(_by_unit()).then("ts"))


def _stepped(bars: pl.DataFrame, limit: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The few bars that may be jumps, with those before them.

    Such as step further than the least of all limits, and the first ones of sessions since the
    last of which a split is recorded (`split_due`).
    """
    least = limit.select(pl.col("jump").min()).item() if limit.height else None
    step = (pl.col("close") / pl.col("close").shift() - 1).abs() > least
    days = actions.filter(pl.col("kind") == "split").select("symbol", "ex_date").unique()
    concerned = bars.get_column("symbol").is_in(days["symbol"].implode())
    opens = concerned & (bars.get_column("session") != bars.get_column("session").shift())
    rows = bars.select((step | opens).arg_true()).to_series()
    at = bars[rows].select(*KEY, "ts", "close")
    before = bars[rows - 1]
    found = at.with_columns(
        before["close"].alias("before"),
        before["ts"].alias("ts_before"),
        before["session"].alias("session_before"),
    ).filter(pl.lit(before["symbol"]) == pl.col("symbol"))
    due = (
        found.join(days, on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("session_before"), pl.col("ex_date") <= pl.col("session")
        )
        .select("symbol", "ts", split_due=pl.lit(value=True))
        .unique()
    )
    return found.join(due, on=["symbol", "ts"], how="left", maintain_order="left").with_columns(
        pl.col("split_due").fill_null(value=False)
    )


def _explained(steps: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """`before` in today's shares and without what was paid out since."""
    kind, value = pl.col("kind"), pl.col("value")
    known = (
        actions.select("symbol", "ex_date", "kind", "value")
        .join(steps.select(*KEY, "ts", "session_before"), on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("session_before"), pl.col("ex_date") <= pl.col("session")
        )
        .group_by("symbol", "ts")
        .agg(
            split=value.filter(kind == "split").product(),
            cash=value.filter(kind == "dividend").sum(),
        )
    )
    split, cash = pl.col("split").fill_null(1.0), pl.col("cash").fill_null(0.0)
    return (
        steps.join(known, on=["symbol", "ts"], how="left")
        .with_columns(before=(pl.col("before") - cash) / split)
        .drop("split", "cash")
        .filter(pl.col("before") > 0)
    )


def _sentence() -> pl.Expr:
    text = pl.format(
        "at {} the close goes from {} to {}, which no split, dividend or false tick explains",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        pl.col("before").round_sig_figs(6),
        pl.col("close").round_sig_figs(6),
    )
    unit = pl.concat_str(text, pl.lit(": it looks like a change between a currency and its cents"))
    still = pl.format(
        "at {} the close is {}, in another unit since {}, when it was {}: it looks like a change "
        "between a currency and its cents, until the price steps back",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        pl.col("close").round_sig_figs(6),
        pl.col("since").dt.strftime("%Y-%m-%d %H:%M"),
        pl.col("before").round_sig_figs(6),
    )
    began = pl.format(
        "at {} the close is {}, and {} from {} on: the first bars of the series are wrong",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        pl.col("close").round_sig_figs(6),
        pl.col("before").round_sig_figs(6),
        pl.col("until").dt.strftime("%Y-%m-%d %H:%M"),
    )
    later = pl.col("ts") > pl.col("since")
    return (
        pl.when(pl.col("until").is_not_null())
        .then(began)
        .when(later)
        .then(still)
        .when(pl.col("code") == UNIT_ERROR)
        .then(unit)
        .otherwise(text)
    )
