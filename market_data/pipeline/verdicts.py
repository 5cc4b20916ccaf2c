"""Verdicts: what the ledger says of each symbol and session after one question.

What belongs here: outcome per symbol-session, and whether asking again could bring anything.
What does not: asking and landing (market_data/pipeline/landing.py), which absences are doubted
(market_data/pipeline/doubts.py), how two records of one session become one
(adapters/operations/ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from market_data.errors import VendorError
from market_data.pipeline.doubts import REFUSED, with_doubt
from market_data.ports import Outcome, SymbolOutcome
from market_data.schemas import LEDGER

COUNTS = pl.Schema(
    {"symbol": pl.String(), "session": pl.Date(), "rows": pl.Int64(), "bars": pl.Int64()}
)
"""What came: rows, and of these the bars that have different starts inside the session."""


@dataclass(frozen=True)
class Asked:
    """One question, as far as its verdicts depend on it.

    Attributes:
        vendor: who was asked.
        timeframe: for which timeframe.
        fetch_id: names the fetch.
        at: when.
        delay: time after its end at which a bar can be had.
        settling: time after a session's close from which its missing bars are not to be expected
            any more; None where they may always come.
        lookback: how far back from now the vendor serves the timeframe; None without limit.
        broken: an error ended the answer.
    """

    vendor: str
    timeframe: str
    fetch_id: str
    at: datetime
    delay: timedelta
    settling: timedelta | None
    lookback: timedelta | None
    broken: bool


@dataclass(frozen=True)
class Answer:
    """What one question brought, as far as outcomes depend on it.

    Attributes:
        stated: the vendor's own word on symbols.
        rows: bars received per symbol.
        timeless: rejected rows whose time could not be read, per symbol; under "" those whose
            symbol could not be read either.
        error: what ended the whole answer, if anything did.
    """

    stated: Mapping[str, SymbolOutcome]
    rows: Mapping[str, int]
    timeless: Mapping[str, int]
    error: VendorError | None


def settle(symbol: str, answer: Answer, reject_share: float) -> SymbolOutcome:
    """The outcome of one symbol: the vendor's own word, else what the rows and errors say.

    Args:
        symbol: one that was asked for.
        answer: what came.
        reject_share: share of rows without a readable time above which no absence is believed.
    """
    stated, error = answer.stated.get(symbol), answer.error
    if stated is not None and not stated.outcome.is_answer:
        return stated
    if stated is None and error is not None and error.symbol in (None, symbol):
        return SymbolOutcome.of(error)
    lost = _without_time(symbol, answer, reject_share)
    if lost is not None:
        return lost
    if stated is not None:
        return stated
    if error is not None and not answer.rows.get(symbol):
        return SymbolOutcome(Outcome.FAILED, f"not reached: {error}", error.kind)
    return SymbolOutcome(Outcome.ROWS if answer.rows.get(symbol) else Outcome.NOTHING)


def unasked(outcomes: Mapping[str, SymbolOutcome]) -> tuple[str, ...]:
    """The symbols about which nothing was sent."""
    return tuple(s for s, o in outcomes.items() if o.outcome is Outcome.NOT_ASKED)


def common_kind(outcomes: Iterable[SymbolOutcome]) -> str:
    """The kind of trouble that met all of some symbols; empty where one of them fared otherwise."""
    kinds = {o.kind for o in outcomes}
    return kinds.pop() if len(kinds) == 1 else ""


def _without_time(symbol: str, answer: Answer, reject_share: float) -> SymbolOutcome | None:
    """A failure where so many rows tell no time that no absence can be believed.

    Such rows count towards no session, so that no check of a session would see them.
    """
    own = answer.timeless.get(symbol, 0), answer.rows.get(symbol, 0)
    nobodys = answer.timeless.get("", 0), sum(answer.rows.values())
    for timeless, rows in (own, nobodys):
        if timeless > reject_share * (timeless + rows):
            return SymbolOutcome(
                Outcome.FAILED,
                f"{timeless} of {timeless + rows} rows tell no readable time; they are in "
                "quarantine. Does the format's time fit the file?",
            )
    return None


def ledger_rows(
    asked: Asked,
    expected: pl.DataFrame,
    counts: pl.DataFrame,
    outcomes: Mapping[str, SymbolOutcome],
    begins: Mapping[str, datetime] | None = None,
    *,
    refused: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """One row per symbol and session that was asked for, or that rows came for.

    A row is final, so that nobody asks again, when the session is over and
    - all of its bars came, or its settling time has passed and what is missing is not doubted
      (market_data/pipeline/doubts.py), or
    - it lies before the vendor's look-back window or its first bar, or
    - it is no session at all.
    Nothing is final after an error, and that a vendor does not know a symbol is never final: the
    symbol may be mended, a file may be added.

    Args:
        asked: the question.
        expected: rows of EXPECTED of the range asked for, those not begun included.
        counts: columns of COUNTS.
        outcomes: one per symbol that was asked for.
        begins: start of the first bar that the vendor has at all, of symbols of which it is known.
            Sessions that closed before are unavailable; not for good where bars may always come.
        refused: columns of REFUSED; None where no row was.
        known: rows of LEDGER of the vendor and timeframe, from before the answer.

    Returns:
        Rows of LEDGER. Sessions that have not begun are left out unless rows came for them, those
        whose bars a doubtful answer would unsay, and symbols about which nothing was sent.
    """
    over = pl.col("close") + asked.delay <= asked.at
    # Of a session that expects no bar, none says nothing: a vendor may still come with some.
    whole = (pl.col("bars") >= pl.col("expected")) & (pl.col("bars") > 0)
    settled = _at_or_before("close", asked, asked.settling)
    # What lies before a vendor's look-back window can never be had from it.
    beyond = _at_or_before("close", asked, asked.lookback)
    # After an error nobody knows whether the rows of a session are all of them.
    broken = pl.col("stated").is_in([str(Outcome.FAILED), str(Outcome.REFUSED)]) | asked.broken
    silent = pl.col("stated").is_in([str(Outcome.ROWS), str(Outcome.NOTHING)])
    early = (pl.col("close") <= pl.col("begins")).fill_null(value=False)
    outcome = (
        pl.when(pl.col("rows") > 0)
        .then(pl.lit(str(Outcome.ROWS)))
        .when(silent & (pl.col("refused") > 0))
        .then(pl.lit(str(Outcome.NOTHING)))
        .when(silent & (beyond | early))
        .then(pl.lit(str(Outcome.UNAVAILABLE)))
        .when(silent)
        .then(pl.lit(str(Outcome.NOTHING)))
        .otherwise("stated")
    )
    never = beyond if asked.settling is None else beyond | early
    there = pl.col("outcome") != str(Outcome.UNAVAILABLE)
    lasting = never | (there & (whole | (settled & ~pl.col("doubted"))))
    # All expected sessions are joined, so that only a day without a session has no close.
    closed_day = pl.col("close").is_null()
    lost = REFUSED.to_frame() if refused is None else refused
    verdicts = (
        expected.join(counts, on=["symbol", "session"], how="full", coalesce=True)
        .join(lost, on=["symbol", "session"], how="left")
        .with_columns(pl.col("expected", "rows", "bars", "refused", "spoiled").fill_null(0))
        .filter(closed_day | (pl.col("open") <= asked.at) | (pl.col("rows") > 0))
        .filter(~pl.col("symbol").is_in(unasked(outcomes)))
        .join(_stated(outcomes), on="symbol", how="left")
        .join(_begun(begins or {}), on="symbol", how="left")
        .with_columns(
            vendor=pl.lit(asked.vendor),
            timeframe=pl.lit(asked.timeframe),
            outcome=outcome,
            asked_at=pl.lit(asked.at, dtype=pl.Datetime("us", "UTC")),
            fetch_id=pl.lit(asked.fetch_id),
        )
    )
    before = LEDGER.empty() if known is None else known
    judged = with_doubt(verdicts, before, at=asked.at, delay=asked.delay)
    return LEDGER.conform(judged.with_columns(final=(closed_day | (over & lasting)) & ~broken))


def _at_or_before(column: str, asked: Asked, span: timedelta | None) -> pl.Expr:
    """Whether an instant lies at least so far back; never where there is no span."""
    if span is None:
        return pl.lit(value=False)
    return (pl.col(column) <= asked.at - span).fill_null(value=False)


def _begun(begins: Mapping[str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": list(begins), "begins": list(begins.values())},
        schema={"symbol": pl.String, "begins": pl.Datetime("us", "UTC")},
    )


def _stated(outcomes: Mapping[str, SymbolOutcome]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": list(outcomes),
            "stated": [str(o.outcome) for o in outcomes.values()],
            "detail": [o.detail[:500] for o in outcomes.values()],
        },
        schema={"symbol": pl.String, "stated": pl.String, "detail": pl.String},
    )
