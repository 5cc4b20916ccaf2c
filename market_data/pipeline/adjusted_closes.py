"""Adjusted closes of vendors beside the actions on record.

What belongs here: gathering a slice's adjusted closes from the raw logs, as traded and in the
currency of the actions, and leaving out what later news has overtaken. What does not: judging them
(market_data/quality/consistency.py).

Who adjusts by the record alone would not notice that an action is missing from it, or was never
paid. Vendors that tell an adjusted close have worked their own list of actions into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.curation.undone_splits import DISPUTED, Splits
from market_data.curation.units import divisor
from market_data.datasets import raw_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_answers import own_words
from market_data.ports import Outcome
from market_data.quality.consistency import check_adjustment_chain
from market_data.quality.findings import KEY, SAMPLE_ROWS, CheckOutcome
from market_data.quality.view import BarsView
from market_data.schemas import FINDINGS, RAW_BARS
from market_data.universe import Instrument

_BEFORE = timedelta(days=14)
"""Holds the session before any, across the longest closure."""
_WORKED_IN = timedelta(days=2)
"""After an ex-date an answer may still be without the action."""
_FETCH = ["symbol", "fetched_at"]


def check_adjusted_closes(platform: Platform, view: BarsView) -> CheckOutcome:
    """Report sessions at which a vendor's adjusted close steps otherwise than our actions say.

    Judged are pairs of sessions that one fetch told. An action that was recorded, changed or taken
    back after that fetch is not held against it.

    Args:
        platform: the raw logs, and when actions became known.
        view: a slice of curated daily bars, with its `logs`.

    Returns:
        Findings adjustment_chain (warn), one per symbol and session, of the first vendor that
        differs; see `check_adjustment_chain`.
    """
    held = set(view.bars.get_column("symbol").unique())
    shares = [i for i in view.instruments if i.symbol in held and i.asset_class.is_adjustable]
    limits = view.limits(platform.thresholds)
    found, rows = [FINDINGS.empty()], [pl.DataFrame()]
    for vendor in platform.universe.vendors_of(view.timeframe):
        closes = _closes(platform, view, vendor.name, shares)
        if closes.is_empty():
            continue
        outcome = check_adjustment_chain(
            closes, view.actions, limits, dataset=view.dataset, sessions=view.sessions
        )
        found.append(_of(vendor.name, outcome.findings))
        rows.append(outcome.rows)
    # The vendors in the order of the universe; the detail names whose step it is.
    first = pl.concat(found).unique([*KEY, "code"], keep="first", maintain_order=True)
    return CheckOutcome(first, pl.concat(rows, how="diagonal_relaxed").head(SAMPLE_ROWS))


def _of(vendor: str, findings: pl.DataFrame) -> pl.DataFrame:
    return findings.with_columns(detail=pl.format("{}: {}", pl.lit(vendor), "detail"))


def _closes(
    platform: Platform, view: BarsView, vendor: str, shares: Sequence[Instrument]
) -> pl.DataFrame:
    """Closes as `check_adjustment_chain` takes them, of one vendor."""
    rows = _with_adjusted(view.logs.get(vendor, RAW_BARS.empty()), shares)
    if rows.is_empty():
        return rows
    start = view.sessions[0]
    before = platform.raw_log.read(
        raw_bars(vendor, view.timeframe),
        symbols=rows.get_column("symbol").unique().to_list(),
        sessions=(start - _BEFORE, start - timedelta(days=1)),
    )
    rows = pl.concat([_with_adjusted(before, shares), rows]).sort(KEY, maintain_order=True)
    said = platform.actions.history(symbols=rows.get_column("symbol").unique().to_list())
    rows = _of_long_fetches(_as_confirmed(platform, view, vendor, rows, said))
    if rows.is_empty():
        return rows
    return _in_currency(_chains(_as_traded(platform, view, rows, shares), said), shares)


def _with_adjusted(raw: pl.DataFrame, shares: Sequence[Instrument]) -> pl.DataFrame:
    """The bars of shares that tell an adjusted close."""
    return raw.filter(
        pl.col("symbol").is_in([i.symbol for i in shares]),
        pl.col("close") > 0,
        pl.col("adj_close") > 0,
    )


def _as_confirmed(
    platform: Platform, view: BarsView, vendor: str, rows: pl.DataFrame, said: pl.DataFrame
) -> pl.DataFrame:
    """The rows with the fetch that last said them, their own or a later one that changed nothing.

    A later answer adds no row to the log where it repeats the one that is there, nor where it only
    works an action into prices that are divided by splits.
    """
    first, last = rows.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    asked = platform.ledger.read(
        vendors=[vendor],
        timeframe=view.timeframe,
        symbols=rows.get_column("symbol").unique().to_list(),
        sessions=(first, last),
    ).filter(pl.col("outcome") == str(Outcome.ROWS))
    told = rows.join(
        asked.select(*KEY, "asked_at", _asked="fetch_id"), on=KEY, how="left", maintain_order="left"
    )
    later = (pl.col("asked_at") > pl.col("fetched_at")).fill_null(value=False)
    if not told.select(later.any()).item():
        return rows
    split_adjusted = list(bases_of(rows, Adjustment.SPLITS))
    spans = told.filter(later, pl.col("basis").is_in(split_adjusted))
    between = (
        spans.select(*_FETCH, "asked_at")
        .unique()
        .join(said.select("symbol", "ex_date", "known_at"), on="symbol")
        .filter(
            pl.col("ex_date").is_between(
                pl.col("fetched_at").dt.date() - _WORKED_IN, pl.col("asked_at").dt.date()
            )
            | (
                (pl.col("known_at") > pl.col("fetched_at"))
                & (pl.col("known_at") <= pl.col("asked_at"))
            )
        )
        .select(*_FETCH, "asked_at", _restated=pl.lit(value=True))
        .unique()
    )
    told = told.join(between, on=[*_FETCH, "asked_at"], how="left", maintain_order="left")
    restated = pl.col("_restated").fill_null(value=False) & pl.col("basis").is_in(split_adjusted)
    confirmed = later & ~restated
    return told.with_columns(
        fetch_id=pl.when(confirmed).then("_asked").otherwise("fetch_id"),
        fetched_at=pl.when(confirmed).then("asked_at").otherwise("fetched_at"),
    ).select(rows.columns)


def _of_long_fetches(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that stand beside another one of their fetch: others tell no step."""
    same = (pl.col("symbol") == pl.col("symbol").shift()) & (
        pl.col("fetch_id") == pl.col("fetch_id").shift()
    )
    return rows.filter((same | same.shift(-1)).fill_null(value=False))


def _as_traded(
    platform: Platform, view: BarsView, rows: pl.DataFrame, shares: Sequence[Instrument]
) -> pl.DataFrame:
    """The closes not divided by splits; rows of which nobody can say that are left out."""
    rows = rows.filter(~pl.col("basis").is_in(list(bases_of(rows, Adjustment.TOTAL))))
    if not bases_of(rows, Adjustment.SPLITS):
        return rows
    calendars = {i.symbol: i.calendar for i in shares}
    parts = []
    for calendar in sorted(set(calendars.values())):
        symbols = [s for s, c in calendars.items() if c == calendar]
        these = rows.filter(pl.col("symbol").is_in(symbols))
        if these.is_empty():
            continue
        actions = view.actions.filter(pl.col("symbol").is_in(symbols))
        splits = Splits(actions, None, view.now, calendar, own_words(platform, symbols))
        parts.append(splits.multiplied(these, actions).filter(~pl.col(DISPUTED)))
    return pl.concat(parts).sort("symbol", "session") if parts else rows.clear()


def _chains(rows: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The rows, those of a fetch apart between which something became known after it."""
    if rows.is_empty():
        return rows
    first, last, oldest = rows.select(
        pl.col("session").min(), last=pl.col("session").max(), oldest=pl.col("fetched_at").min()
    ).row(0)
    recent = said.filter(
        pl.col("ex_date").is_between(first, last), pl.col("known_at") > oldest
    ).select("symbol", "ex_date", "known_at")
    late = (
        rows.select(_FETCH)
        .unique()
        .join(recent, on="symbol")
        .filter(pl.col("known_at") > pl.col("fetched_at"))
        .select(*_FETCH, "ex_date")
        .unique()
        .sort("ex_date")
    )
    if late.is_empty():
        return rows
    numbered = late.with_columns(_news=pl.int_range(1, pl.len() + 1).over(_FETCH))
    return (
        rows.sort("session")
        .join_asof(
            numbered,
            left_on="session",
            right_on="ex_date",
            by=_FETCH,
            check_sortedness=False,
        )
        .with_columns(
            fetch_id=pl.format("{} {}", "fetch_id", pl.col("_news").fill_null(0).cast(pl.String))
        )
        .sort("symbol", "session")
    )


def _in_currency(rows: pl.DataFrame, shares: Sequence[Instrument]) -> pl.DataFrame:
    """Both closes in the instrument's currency, as its dividends are."""
    units = {text: basis.unit for text, basis in bases_of(rows).items()}
    factors = [
        (i.symbol, text, factor)
        for i in shares
        for text, unit in units.items()
        if (factor := divisor(unit, i.currency))
    ]
    known = pl.DataFrame(
        factors,
        schema={"symbol": pl.String, "basis": pl.String, "_factor": pl.Float64},
        orient="row",
    )
    return (
        rows.join(known, on=["symbol", "basis"], maintain_order="left")
        .with_columns(pl.col("close", "adj_close") / pl.col("_factor"))
        .select(*KEY, "close", "adj_close", "fetch_id")
    )
