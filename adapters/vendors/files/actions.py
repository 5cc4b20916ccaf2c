"""Splits and dividends that files tell beside their bars.

What belongs here: gathering them over the files of a question, until when a file has told splits,
and turning them into corporate actions. What does not: cells (parse.py), what cannot be
(market_data/corporate_actions/plausible.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

import polars as pl

from adapters.vendors.files.layout import Layout
from adapters.vendors.files.parse import SAID, Parsed
from adapters.vendors.files.reading import Hear
from adapters.vendors.files.spec import FormatSpec
from market_data.basis import Adjustment
from market_data.corporate_actions.as_paid import as_paid
from market_data.corporate_actions.plausible import plausible_actions
from market_data.curation.units import divisor
from market_data.errors import VendorError
from market_data.ports import FetchRequest, FetchResult
from market_data.schemas import UTC
from market_data.universe import Instrument


class Heard:
    """What the files of one question tell of splits and dividends.

    Attributes:
        until: symbol to the date of the last bar of its one file, where that tells splits. Of
            several files it is not known until when all of them do.
    """

    def __init__(self, spec: FormatSpec, speaking: Iterable[str]) -> None:
        """Take the format.

        Args:
            spec: of the files.
            speaking: platform symbols, one of each file that may speak for it.
        """
        self._spec = spec
        self._left = Counter(speaking)
        self._alone = {symbol for symbol, files in self._left.items() if files == 1}
        self._said = [pl.DataFrame(schema=SAID)]
        self.until: dict[str, date] = {}

    def results(
        self, symbols: Collection[str], read: Callable[[Hear | None], Iterator[FetchResult]]
    ) -> Iterator[FetchResult]:
        """The results of one file, of a format that tells actions once it was read to its end.

        So until when it tells splits is known before its bars are handed over.

        Args:
            symbols: that it may speak for.
            read: reads it, telling each block to whom it is given.

        Raises:
            VendorError: the file breaks; after what came before.
        """
        if not self._spec.tells_actions:
            yield from read(None)
            return
        columns: list[bool] = []
        newest: dict[str, date] = {}

        def hear(parsed: Parsed, layout: Layout) -> None:
            columns.append("split" in layout.roles)
            self._said.append(parsed.actions)
            last = parsed.bars.group_by("symbol").agg(pl.col("ts").max().dt.date())
            newest.update({s: max(day, newest.get(s, day)) for s, day in last.iter_rows()})

        held: list[FetchResult] = []
        broken: VendorError | None = None
        try:
            # One by one, so that what came before a break is kept.
            for result in read(hear):
                held.append(result)  # noqa: PERF402
        except VendorError as error:
            broken = error
        if broken is None and columns and all(columns):
            self.until |= {s: newest[s] for s in symbols if s in newest and s in self._alone}
        yield from held
        if broken is not None:
            raise broken

    def actions(
        self, symbols: Collection[str], request: FetchRequest, source: str, earliest: datetime
    ) -> FetchResult | None:
        """What is told of symbols, once the last of their files was read; None where nothing is.

        Args:
            symbols: that the file just read may speak for.
            request: the question; its range bounds what is refused, not what is told.
            source: who the files speak for.
            earliest: no action can be older.
        """
        self._left.subtract(symbols)
        finished = [s for s in symbols if not self._left[s]]
        told = pl.concat(self._said).filter(
            pl.col("symbol").is_in(finished),
            # A bar of another time is refused too.
            pl.col("ex_date").is_between(earliest.date(), request.now.date() + timedelta(days=1)),
        )
        if told.is_empty():
            return None
        instruments = {s.symbol: s.instrument for s in request.symbols}
        good, bad = _stated(
            told.unique(maintain_order=True), self._spec, instruments, source, request.now
        )
        inside = (pl.col("ts") >= request.start) & (pl.col("ts") < request.end)
        return FetchResult(actions=good, rejected=bad.filter(inside))


def _stated(
    told: pl.DataFrame,
    spec: FormatSpec,
    instruments: Mapping[str, Instrument],
    source: str,
    now: datetime,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of CORPORATE_ACTIONS, and of REJECTED_ROWS for those that cannot be.

    Dividends are in the unit of the prices and, where those are adjusted for splits, divided by
    every split from the ex-date until the export. Here they are cash as paid, in the instrument's
    currency, as far as the files' own splits tell. `known_at` is the ex-date at 00:00 UTC, assumed,
    as the bars of a file count as known at their end.
    """
    splits = told.filter(pl.col("kind") == "split")
    cash = told.filter(pl.col("kind") == "dividend")
    if spec.basis.adjustment is not Adjustment.RAW:
        cash = as_paid(cash, splits)
    # Of another currency nobody can say what it is in that of the instrument.
    parts = {s: divisor(spec.basis.unit, i.currency) for s, i in instruments.items()}
    divided = pl.col("value") / pl.col("symbol").replace_strict(parts, return_dtype=pl.Float64)
    stated = pl.concat([splits, cash.with_columns(value=divided)])
    midnight = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return plausible_actions(
        stated.sort("symbol", "ex_date", "kind", maintain_order=True).with_columns(
            source=pl.lit(source),
            known_at=pl.min_horizontal(midnight, pl.lit(now, dtype=UTC)),
        )
    )
