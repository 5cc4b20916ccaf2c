"""False ticks: bars whose price jumps away and comes back as if nothing had been traded between.

What belongs here: finding them, by this platform's rule and by that of the documents. What does
not: wrong opens, highs and lows (wicks.py), jumps that stay (price_sanity.py), what becomes of a
flagged bar (market_data/curation).

The rule: a jump there, which is the log return into a bar, and within `false_tick_bars` bars a jump
back, which is an opening away from the close before it. Each is at least `false_tick_move`, the
jump back at least `false_tick_z` robust standard deviations of a return and GAPS of an opening from
the close before it, and their sizes differ by no more than 1 - `false_tick_revert` of the larger
one. The bar that opens back closes on that side, and opens nearer to the price of before than to
the false one: what was traded meanwhile may lie between.

The first bar of a series has its own opening for the close before it. The newest bars wait for
those that come after them.

A single day that is undone nearly exactly, MIRRORED of it, need not lie so far off: news that is
taken back overnight, to the same price, is rare.

A market that turns trades its way back, so that the next bar opens where the last one closed; a
wrong price is simply not there in the next bar's opening. That is what tells a crash with its
rebound from a fault, and a split, which never comes back, from both. Where openings usually lie
apart from the closes before them, only one that does so far more than usual tells anything. Within
a day, a price that only the next session undoes has to be twice as far away.

The scale is 1.4826 times the median absolute log return (the standard deviation of a normal
distribution): of the session for bars of minutes, of the 60 bars before for those of an hour and
longer, which a session has too few of (odd_bars.py).

The documents' rule looks at price levels instead: at least 6 robust standard deviations and 2 %
from the median of the last 20 bars. It follows a trend late and cries wolf; who must match the
older systems selects it by `false_tick_profile: documents`.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import CheckOutcome
from market_data.quality.odd_bars import granularity_at, tell, usual_at
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

FALSE_TICK = "false_tick"
DOCUMENTS_WINDOW = 20
DOCUMENTS_Z = 6.0
DOCUMENTS_MOVE = 0.02
GAPS = 11.0
"""Robust standard deviations of an opening from the close before it, from which on it may undo a
false price. Below, news of days in turmoil are flagged too: of 49,000 real days of shares and
indices 17 with no such limit, 3 with this one."""
MIRRORED = 0.8
"""Share of the larger jump that the smaller one is, from which on a single day is undone so exactly
that less distance is enough: MIRRORED_Z of `false_tick_z`, and MIRRORED_GAPS."""
MIRRORED_Z, MIRRORED_GAPS = 0.6, 7.0
OVERNIGHT = 2.0
"""Times `false_tick_z` for bars within a day that only the next session's opening undoes: prices
do move overnight."""
_HALF = 0.5
"""Share of a jump by which prices that are traded on may differ from where they are looked for."""
_NORMAL = 1.4826
FALSE_TICKS = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "ts": UTC,
    "open": pl.Float64(),
    "close": pl.Float64(),
    "before": pl.Float64(),
    "after": pl.Float64(),
    "jump": pl.Float64(),
    "z": pl.Float64(),
    "threshold": pl.Float64(),
}
"""A false tick: the closes `before` and `after` it, `jump` from the one before as a fraction, `z`
of the jump back in robust standard deviations, and the limit that `z` broke."""


def check_false_ticks(
    ticks: pl.DataFrame, *, dataset: str, sessions: tuple[date, date]
) -> CheckOutcome:
    """Report the false ticks of some sessions.

    Args:
        ticks: of `find_false_ticks`.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings false_tick (warn), one per symbol-session: `value` is the largest `z`.
    """
    return tell(ticks, code=FALSE_TICK, detail=_sentence(), dataset=dataset, sessions=sessions)


def find_false_ticks(
    bars: pl.DataFrame, limits: pl.DataFrame, *, timeframe: Timeframe
) -> pl.DataFrame:
    """Find bars whose price was never traded.

    Args:
        bars: symbol, session, ts, open, close (positive), sorted by (symbol, ts). Without bars
            after it, the last bars of a series cannot be judged yet.
        limits: see `BarsView.limits`.
        timeframe: of the bars.

    Returns:
        Rows of FALSE_TICKS sorted by (symbol, ts), one for each such bar.
    """
    columns = ("symbol", "false_tick_profile", "false_tick_z", "false_tick_move")
    known = limits.select(*columns, "false_tick_revert", "false_tick_bars")
    of_documents = known.filter(pl.col("false_tick_profile") == "documents")
    parts = [
        _by_reversal(bars, known.join(of_documents, on="symbol", how="anti"), timeframe=timeframe)
    ]
    if not of_documents.is_empty():
        parts.append(_by_level(bars.join(of_documents, on="symbol", how="semi")))
    found = pl.concat(parts).sort("symbol", "ts", "z", descending=[False, False, True])
    # A bar may lie in two runs that overlap.
    return found.unique(["symbol", "ts"], keep="first", maintain_order=True)


def _by_reversal(bars: pl.DataFrame, limits: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    candidates = _moved(bars, limits)
    if candidates.is_empty():
        return pl.DataFrame(schema=FALSE_TICKS)
    series = bars.select(
        "symbol",
        "session",
        "ts",
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        open=pl.col("open").log(),
        close=pl.col("close").log(),
        # The first bar of all has its own opening before it.
        step=pl.when(_same_symbol().fill_null(value=False))
        .then((pl.col("close") / pl.col("close").shift()).log())
        .otherwise((pl.col("close") / pl.col("open")).log()),
    )
    moved = series[candidates].join(limits, on="symbol", maintain_order="left")
    jumps = moved.filter(pl.col("step").abs() >= pl.col("false_tick_move").log1p())
    numbered = bars.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    grain = granularity_at(numbered, jumps, ("open", "close"), timeframe)
    # A jump back that is far enough cannot be the answer to a much smaller one.
    least = pl.col("false_tick_revert") * pl.col("false_tick_z") * pl.col("usual") * _NORMAL
    far = (
        jumps.join(usual_at(series, jumps, pl.col("step").abs(), timeframe), on="row")
        .join(grain, on="row")
        .with_columns(usual=pl.max_horizontal("usual", "grain"))
        .filter(pl.col("step").abs() >= least)
    )
    gap = (pl.col("open") - pl.col("close").shift()).abs()
    gaps = usual_at(series, far, gap, timeframe).rename({"usual": "usual_gap"})
    return _bars_of(_runs(far.join(gaps, on="row").sort("row"), series, timeframe), bars)


def _moved(bars: pl.DataFrame, limits: pl.DataFrame) -> pl.Series:
    """Numbers of the bars that move far enough for some symbol.

    They are few, and whatever else is looked at, is looked at for them alone.
    """
    if limits.is_empty():
        return pl.Series(dtype=pl.UInt32)
    least = 1 + limits.select(pl.col("false_tick_move").min()).item()
    ratio = pl.col("close") / pl.col("close").shift()
    rows = bars.select(((ratio >= least) | (ratio <= 1 / least)).arg_true()).to_series()
    symbols = bars.get_column("symbol")
    # Sorted by symbol: looking each one up is cheaper than comparing all bars.
    named = limits.get_column("symbol")
    places = pl.Series(symbols.search_sorted(named, side="left"), dtype=pl.UInt32)
    there = places < bars.height
    places, named = places.filter(there), named.filter(there)
    firsts = places.filter(symbols[places] == named)
    within = bars[firsts].select(
        pl.max_horizontal(_ratio("close", "open"), _ratio("open", "close"))
    )
    moved = firsts.filter(within.to_series() >= least)
    others = rows.filter(symbols[rows] == symbols[rows - 1])
    found = pl.concat([others, moved]).sort()
    return found.filter(symbols[found].is_in(limits["symbol"].implode()))


def _ratio(above: str, below: str) -> pl.Expr:
    return pl.col(above) / pl.col(below)


def _same_symbol() -> pl.Expr:
    return pl.col("symbol") == pl.col("symbol").shift()


def _runs(jumps: pl.DataFrame, series: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The jumps that came back: `row` of the first false bar and `bars`, how many there are."""
    overnight = OVERNIGHT if timeframe.is_intraday else 1.0
    candidates = jumps.with_columns(
        bars=pl.lit(None, dtype=pl.Int64),
        z=pl.lit(None, dtype=pl.Float64),
        away=pl.lit(value=True),
        overnight=overnight * pl.col("false_tick_z"),
        daily=pl.lit(not timeframe.is_intraday),
    )
    for length in range(1, max(jumps.get_column("false_tick_bars").to_list(), default=0) + 1):
        candidates = _looked_ahead(candidates, series, length)
    back = candidates.drop_nulls("bars").sort("row")
    return back.filter(_first_of_chain())


def _looked_ahead(candidates: pl.DataFrame, series: pl.DataFrame, length: int) -> pl.DataFrame:
    """Settle the candidates that end `length` bars on; note those whose price came back before."""
    there = candidates.get_column("row") + length
    inside = there < series.height
    at = there.clip(upper_bound=series.height - 1)
    ahead = series.select("symbol", "session", "open", "close")[at]
    opened, closed = pl.lit(ahead["open"]), pl.lit(ahead["close"])
    step, before = pl.col("step"), pl.col("close") - pl.col("step")
    back = opened - pl.lit(series.get_column("close")[at - 1])
    z = back.abs() / (pl.col("usual") * _NORMAL)
    same = pl.lit(ahead["session"]) == pl.col("session")
    least_z = pl.when(same).then("false_tick_z").otherwise("overnight")
    gap = back.abs() / (_NORMAL * pl.col("usual_gap"))
    unlike = (step + back).abs() / pl.max_horizontal(step.abs(), back.abs())
    far = (z >= least_z) & (gap >= GAPS)
    if length == 1:
        # News is not undone so exactly, overnight.
        mirrored = pl.col("daily") & (unlike <= 1 - MIRRORED)
        far |= mirrored & (z >= MIRRORED_Z * least_z) & (gap >= MIRRORED_GAPS)
    far &= back.abs() >= pl.col("false_tick_move").log1p()
    alike = unlike <= 1 - pl.col("false_tick_revert")
    near = ((opened - before) / step).abs() <= _HALF
    stays = (closed - opened).abs() <= _HALF * back.abs()
    valid = pl.lit(inside) & (pl.lit(ahead["symbol"]) == pl.col("symbol"))
    settled = pl.col("bars").is_null() & pl.col("away") & (length <= pl.col("false_tick_bars"))
    returned = settled & valid & far & alike & near & stays
    return candidates.with_columns(
        bars=pl.when(returned).then(length).otherwise("bars"),
        z=pl.when(returned).then(z).otherwise("z"),
        away=pl.col("away") & valid & ((closed - before) / step >= _HALF),
    )


def _first_of_chain() -> pl.Expr:
    """Every other one of the runs that touch each other.

    Right bars between two false ones jump and come back too: the first run is false, the second
    right, the third false.
    """
    touches = (pl.col("row") == (pl.col("row") + pl.col("bars")).shift()).fill_null(value=False)
    position = pl.int_range(pl.len())
    begun = pl.when(~touches).then(position).forward_fill()
    return (position - begun) % 2 == 0


def _bars_of(runs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    rows = runs.select(
        "row",
        "bars",
        "z",
        "step",
        threshold="false_tick_z",
        at=pl.int_ranges("row", pl.col("row") + pl.col("bars")),
    ).explode("at", empty_as_null=False)
    closes, opens, symbols = own["close"], own["open"], own["symbol"]
    first = rows.get_column("row")
    begins = (first == 0) | (symbols[first] != symbols[first - 1])
    found = own[rows.get_column("at")].select("symbol", "session", "ts", "open", "close")
    return found.with_columns(
        before=pl.select(
            pl.when(begins).then(opens[first]).otherwise(closes[first - 1])
        ).to_series(),
        after=closes[rows.get_column("row") + rows.get_column("bars")],
        jump=rows.get_column("step").exp() - 1,
        z=rows.get_column("z"),
        threshold=rows.get_column("threshold"),
    ).select(list(FALSE_TICKS))


def _by_level(bars: pl.DataFrame) -> pl.DataFrame:
    window = pl.concat_list(
        pl.col("close").shift(back).over("symbol") for back in range(DOCUMENTS_WINDOW)
    ).list.drop_nulls()
    deviation = (pl.element() - pl.element().median()).abs().median()
    distance = (pl.col("close") - pl.col("before")).abs()
    return (
        bars.with_columns(before=window.list.median(), mad=window.list.eval(deviation).list.first())
        .with_columns(z=distance / (_NORMAL * pl.col("mad")), jump=distance / pl.col("before"))
        .filter(
            window.list.len() >= DOCUMENTS_WINDOW // 2,
            distance > 0,
            pl.col("z") >= DOCUMENTS_Z,
            pl.col("jump") >= DOCUMENTS_MOVE,
        )
        .with_columns(
            after=pl.lit(None, dtype=pl.Float64),
            jump=pl.col("close") / pl.col("before") - 1,
            threshold=pl.lit(DOCUMENTS_Z),
        )
        .select(list(FALSE_TICKS))
    )


def _sentence() -> pl.Expr:
    return pl.format(
        "{} bars at a price that was not traded: at {} it is {} % away, {} robust deviations",
        "rows",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        (pl.col("jump") * 100).round(2),
        pl.col("z").round(1),
    )
