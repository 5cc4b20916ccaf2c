"""The `Vendor` port on files.

What belongs here: which files answer a request, slices, outcomes, and which trouble is whose.
What does not: how one file is read (reading.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path

import polars as pl

from adapters.vendors.files.actions import Heard
from adapters.vendors.files.discovery import FoundFile, discover
from adapters.vendors.files.exported import export_day, needs_day, refuse_later_bars
from adapters.vendors.files.reading import Names, read_file, read_source
from adapters.vendors.files.source import Source
from adapters.vendors.files.spec import FormatSpec
from adapters.vendors.files.window import EARLIEST, Begins, in_range, midnight, outside
from market_data.basis import Basis
from market_data.errors import VendorError
from market_data.ports import (
    Capabilities,
    FetchRequest,
    FetchResult,
    Outcome,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

Paths = Path | str | Sequence[Path | str]


@dataclass(frozen=True)
class Feed:
    """One format and where its files lie."""

    spec: FormatSpec
    paths: Paths


class FilesVendor:
    """Bars of one vendor from files.

    Attributes:
        name: the vendor that the files speak for.
        feeds: one per timeframe.
        capabilities: the feeds' timeframes, without limits.
    """

    def __init__(
        self,
        name: str,
        spec: FormatSpec,
        paths: Paths,
        *,
        also: Sequence[Feed] = (),
        prices_as_of: date | None = None,
        earliest: datetime = EARLIEST,
    ) -> None:
        """Take the feeds.

        Args:
            name: the vendor that the files speak for.
            spec: format of the files.
            paths: where they lie.
            also: feeds of other timeframes.
            prices_as_of: the day on which split-adjusted files were exported, where neither the
                format nor their names are to say it.
            earliest: no bar can be older; such rows are rejected, whatever was asked for.
        """
        self.name = name
        self._earliest = earliest
        self._prices_as_of = prices_as_of
        self._export_days: dict[tuple[str, Timeframe], date] = {}
        self._heard: dict[Timeframe, Heard] = {}
        self.feeds: dict[Timeframe, Feed] = {
            feed.spec.timeframe: feed for feed in (*also, Feed(spec, paths))
        }
        self.capabilities = Capabilities(timeframes=tuple(t for t in Timeframe if t in self.feeds))

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        """What the prices mean.

        On which day they were adjusted is known once the files of the instrument were found, and
        until when they tell splits once the file was read.

        Raises:
            VendorError: no feed has this timeframe.
        """
        feed = self.feeds.get(timeframe)
        if feed is None:
            raise VendorError(f"{self.name} has no files of {timeframe}")
        said = feed.spec.basis
        exported = self._export_days.get((instrument.symbol, timeframe))
        heard = self._heard.get(timeframe)
        told = heard.until.get(instrument.symbol) if heard else None
        return Basis(
            adjustment=said.adjustment,
            side=feed.spec.side,
            unit=said.unit or instrument.currency,
            hours=said.hours,
            day="" if timeframe.is_intraday else said.day,
            adjusted_on=exported,
            told_until=min(told, exported) if told and exported else None,
        )

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars with start in [request.start, request.end), file by file, block by block.

        The splits and dividends of a symbol come after its last file, whatever their day. A file
        of a format that may tell them is read to its end before its bars are handed over.

        A broken file fails its symbols once the other files are read; when no symbol is left
        whole, its error is raised at the end. What was yielded before stands.

        Raises:
            VendorUnavailableError: a path does not exist or cannot be read.
            MalformedAnswerError: a file is not what its format says; the message starts with
                "schema" where the columns differ. Or its prices are adjusted for splits, and it is
                not known up to which day.
        """
        feed = self.feeds.get(request.timeframe)
        if feed is None:
            detail = f"{self.name} has no files of {request.timeframe}"
            yield _outcomes(request.symbols, Outcome.UNAVAILABLE, detail)
            return
        names = _names(request.symbols)
        every = discover(feed.paths, feed.spec)
        served = {key for found in every for key in _asked(found, names)}
        days, errors = self._days(every, feed.spec, request)
        rows = dict.fromkeys(names, 0)
        begins = Begins(self._earliest)
        heard = self._hear(feed.spec, every, names)
        for found in every:
            asked = {k: v for k, v in _asked(found, names).items() if k not in errors}
            if asked and outside(found, request):
                begins.add({symbol: midnight(found) for symbol, _ in asked.values()})
                continue
            if not asked:
                continue
            try:
                for result in heard.results(
                    _symbols(asked), partial(read_file, found, feed.spec, asked)
                ):
                    exported = [days[k] for k in asked if k in days]
                    refuse_later_bars(result.frame, found.path, exported)
                    begins.see(result.frame)
                    kept = in_range(result, request, self._earliest)
                    _count(kept.frame, asked, rows)
                    yield kept
            except VendorError as error:
                errors |= dict.fromkeys(asked, error)
            whole = [s for k, (s, _) in asked.items() if k not in errors]
            if told := heard.actions(whole, request, self.name, self._earliest):
                yield told
        settled = _settled(names, served, errors, rows, feed)
        yield FetchResult(outcomes=settled, begins=begins.starts)
        if errors and len(errors) == len(names):
            raise next(iter(errors.values()))

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived files again, see `market_data.ports.ReadsArchived`.

        The archive keeps content, not names: what only a file's name told cannot be told again.

        Raises:
            VendorError: the day of the rows, the symbol or the day of a split adjustment was in
                the file's name; or the file was too long to be archived.
        """
        feed = self.feeds.get(request.timeframe)
        if feed is None:
            raise VendorError(f"{self.name} has no files of {request.timeframe}")
        names = _names(request.symbols)
        archived = [FoundFile(Path("archived payload"))] * len(contents)
        heard = self._hear(feed.spec, archived, names)
        for found, content in zip(archived, contents, strict=True):
            for wanted in request.symbols:
                if needs_day(feed.spec, wanted.instrument):
                    day = export_day([found], feed.spec, self._prices_as_of, request.now.date())
                    self._export_days[wanted.symbol, request.timeframe] = day
            source = Source.archived(content, feed.spec)
            read = partial(read_source, source, found, feed.spec, names)
            for result in heard.results(_symbols(names), read):
                yield in_range(result, request, self._earliest)

    def _hear(self, spec: FormatSpec, files: Sequence[FoundFile], names: Names) -> Heard:
        """Who hears what some files tell of actions; the basis of their bars says until when."""
        heard = Heard(spec, [s for found in files for s in _symbols(_asked(found, names))])
        self._heard[spec.timeframe] = heard
        return heard

    def _days(
        self, every: Sequence[FoundFile], spec: FormatSpec, request: FetchRequest
    ) -> tuple[dict[str, date], dict[str, VendorError]]:
        """By vendor symbol in capitals the day of the adjustment, and why it is not known."""
        days: dict[str, date] = {}
        errors: dict[str, VendorError] = {}
        for wanted in request.symbols:
            if not needs_day(spec, wanted.instrument):
                continue
            key = wanted.vendor_symbol.upper()
            found = [f for f in every if f.symbol in (None, key)]
            if not found:
                continue
            try:
                days[key] = export_day(found, spec, self._prices_as_of, request.now.date())
            except VendorError as error:
                errors[key] = error
            else:
                self._export_days[wanted.symbol, request.timeframe] = days[key]
        return days, errors


def _names(symbols: Sequence[SymbolRequest]) -> dict[str, tuple[str, str]]:
    return {s.vendor_symbol.upper(): (s.symbol, s.vendor_symbol) for s in symbols}


def _symbols(names: Names) -> list[str]:
    return [symbol for symbol, _ in names.values()]


def _asked(found: FoundFile, names: Names) -> Names:
    """Those of the asked symbols that a file may speak for."""
    if found.symbol is None:
        return names
    return {k: v for k, v in names.items() if k == found.symbol}


def _count(frame: pl.DataFrame, asked: Names, rows: dict[str, int]) -> None:
    if len(asked) == 1:
        rows[next(iter(asked))] += len(frame)
        return
    counts = dict(frame["symbol"].value_counts().iter_rows())
    for key, (symbol, _) in asked.items():
        rows[key] += counts.get(symbol, 0)


def _settled(
    names: Names,
    served: set[str],
    errors: Mapping[str, VendorError],
    rows: Mapping[str, int],
    feed: Feed,
) -> dict[str, SymbolOutcome]:
    settled = {}
    for key, (symbol, vendor_symbol) in names.items():
        if key in errors:
            outcome = SymbolOutcome(Outcome.FAILED, str(errors[key]))
        elif key not in served:
            detail = f"no file of {feed.paths} speaks for {vendor_symbol}"
            if feed.spec.symbol_from in ("stem", "parent", "regex"):
                detail += "; symbol_from: argument in the format reads it under any name"
            outcome = SymbolOutcome(Outcome.FAILED, detail)
        elif rows[key]:
            outcome = SymbolOutcome(Outcome.ROWS)
        else:
            outcome = SymbolOutcome(Outcome.NOTHING, "no bar inside the range asked for")
        settled[symbol] = outcome
    return settled


def _outcomes(symbols: Sequence[SymbolRequest], outcome: Outcome, detail: str) -> FetchResult:
    return FetchResult(outcomes={s.symbol: SymbolOutcome(outcome, detail) for s in symbols})
