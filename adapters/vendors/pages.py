"""A long range as the questions that a vendor takes, and their answers as one.

What belongs here: cutting ranges, walking through the pages of one symbol, and refusing a page that
is another one. What does not: which ranges a vendor serves, and how a page is asked for and read
(the vendors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import polars as pl

from adapters.vendors.cells import read_cells
from adapters.vendors.outcome import outcome_of
from market_data.errors import MalformedAnswerError
from market_data.ports import FetchRequest, FetchResult, Payload, SymbolRequest


def pages(
    start: datetime, end: datetime, step: timedelta, most: int
) -> Iterator[tuple[datetime, datetime]]:
    """Start and end (excluded) of each question, the oldest first.

    Args:
        start: of the range.
        end: of the range, excluded.
        step: from one bar to the next.
        most: bars of one question.
    """
    while start < end:
        until = min(start + most * step, end)
        yield start, until
        start = until


def page_by_page(
    wanted: SymbolRequest,
    request: FetchRequest,
    ask: Callable[[datetime, datetime], tuple[pl.DataFrame, Payload]],
    *,
    most: int,
) -> Iterator[FetchResult]:
    """The bars of a symbol, the oldest first, and at last its outcome.

    Args:
        wanted: whose bars.
        request: the range; what is still ahead of its `now` is not asked for.
        ask: brings the cells of bars that start in [first, until), as `read_cells` takes them,
            and what they were read from; more than these does no harm, as long as `ask` knows that
            it may come (`refuse_elsewhere`).
        most: bars of one question.

    Raises:
        VendorError: what `ask` raises; the pages before it were given.
    """
    rows = refused = 0
    end = min(request.end, request.now)
    for first, until in pages(request.start, end, request.timeframe.duration, most):
        cells, payload = ask(first, until)
        bars, rejected = read_cells(cells, wanted, first, until)
        rows += bars.height
        refused += rejected.height
        yield FetchResult(frame=bars, rejected=rejected, payloads=[payload])
    yield FetchResult(outcomes={wanted.symbol: outcome_of(rows, refused)})


def refuse_elsewhere(cells: pl.DataFrame, first: datetime, until: datetime, *, name: str) -> None:
    """Refuse an answer with rows of another range than a vendor gives to a question.

    Whoever answers every question with the newest candles says nothing about an older range, and
    "nothing" would be final. Rows without a time lie nowhere.

    Args:
        cells: with `ts`, UTC, null where it cannot be read.
        first: the earliest start that the vendor may give, UTC.
        until: the latest one, UTC.
        name: the vendor's, for messages.

    Raises:
        MalformedAnswerError: a row lies elsewhere.
    """
    elsewhere = cells.filter(~pl.col("ts").is_between(first, until))["ts"]
    if not elsewhere.is_empty():
        raise MalformedAnswerError(
            f"{name} was asked for candles from {first:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} "
            f"UTC at most, and answers with {len(elsewhere)} of other times, the first of "
            f"{elsewhere[0]:%Y-%m-%d %H:%M}"
        )
