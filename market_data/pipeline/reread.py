"""Read archived answers again: what today's reader makes of the bytes of a past fetch.

What belongs here: from an entry of the journal to its payloads, through the vendor's reader, to
the raw log. What does not: which fetches (replay.py), reading itself (the vendor's adapter).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from market_data.basis import Basis
from market_data.errors import MarketDataError, VendorError
from market_data.pipeline.asking import Asking
from market_data.pipeline.landing import Landed, Landing
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.pipeline.platform import Platform
from market_data.ports import (
    FetchRequest,
    FetchResult,
    IngestRun,
    Outcome,
    ReadsArchived,
    SymbolOutcome,
    Vendor,
)
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument


@dataclass(frozen=True)
class ArchivedFetch:
    """One fetch of the journal whose archived answer can be read again.

    Attributes:
        run: the fetch.
        vendor: the reader of today.
        contents: its payloads, in the order in which they came.
    """

    run: IngestRun
    vendor: Vendor
    contents: tuple[bytes, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whom it was about, less those whose answer never came where that is known."""
        told = self.run.payload_symbols
        is_known = bool(told) and all(told)
        return tuple(s for s in self.run.symbols if s in told or not is_known)

    def questions(self, request: FetchRequest) -> Iterator[tuple[FetchRequest, list[bytes]]]:
        """Payloads and the question that they answer, for some of the symbols.

        Many answers do not name their symbol: one whose symbol was written down is read as the
        answer about that symbol alone.
        """
        told = self.run.payload_symbols or ("",) * len(self.contents)
        for symbol in dict.fromkeys(told):
            wanted = tuple(w for w in request.symbols if symbol in ("", w.symbol))
            if wanted:
                answers = zip(told, self.contents, strict=True)
                own = [content for about, content in answers if about == symbol]
                yield replace(request, symbols=wanted), own


def find_archived(platform: Platform, run: IngestRun, spec: str | None = None) -> ArchivedFetch:
    """The archived answer of a fetch.

    Args:
        platform: configuration and ports.
        run: the fetch.
        spec: format of files, where the vendor's entry in the universe names none.

    Raises:
        VendorError: it cannot be read again; the message says why.
    """
    known = {i.symbol for i in platform.universe.instruments}
    if strangers := sorted(set(run.symbols) - known):
        raise VendorError(f"{', '.join(strangers[:5])} is no longer in the universe")
    try:
        vendor = _reader(platform, run.vendor, spec)
        contents = tuple(platform.payloads.get(address) for address in run.payloads)
    except KeyError as missing:
        raise VendorError(f"payload {missing.args[0]} is no longer in the archive") from missing
    except MarketDataError as trouble:
        raise VendorError(str(trouble)) from trouble
    if not isinstance(vendor, ReadsArchived):
        raise VendorError(
            f"the reader of {run.vendor} does not read archived answers; 'emp ingest --refetch' "
            "asks the vendor again"
        )
    if not contents:
        raise VendorError("the fetch left no payload")
    return ArchivedFetch(run, vendor, contents)


def _reader(platform: Platform, name: str, spec: str | None) -> Vendor:
    config = platform.universe.vendor(name)
    if config.reader == "files" and not config.options.get("feeds"):
        # The reader wants a place to look for files; nobody looks there.
        return platform.vendors.open(name, path="archived payloads", spec=spec)
    return platform.vendors.open(name)


def read_again(platform: Platform, found: ArchivedFetch) -> list[FetchResult]:
    """What today's reader makes of it; nothing is kept.

    Raises:
        VendorError: the payloads do not tell enough.
    """
    askings = _askings(platform, found)
    return [result for asking in askings for result in asking.vendor.fetch(asking.question)]


def land_again(platform: Platform, found: ArchivedFetch) -> None:
    """Keep what today's reader makes of it, as of the time of that fetch.

    Bars that are in the raw log already are not added again. Corporate actions, the journal and
    verdicts on sessions that somebody has asked for since stay as they are.

    Raises:
        VendorError: the payloads do not tell enough.
    """
    for asking in _askings(platform, found):
        landed = _ArchivedLanding(asking).run()
        if landed.error is not None:
            raise landed.error


def _askings(platform: Platform, found: ArchivedFetch) -> list[Asking]:
    """The questions that would be put for the same symbols and sessions today.

    Each under the name and time of the fetch of then.
    """
    run = found.run
    request = IngestRequest(run.vendor, run.timeframe, found.symbols, *run.sessions, refetch=True)
    planned = plan_ingest(platform, request).fetches
    vendor = _Archived(found)
    return [
        Asking(platform, request, fetch, vendor, run.started_at, run.fetch_id) for fetch in planned
    ]


class _Archived:
    """Stands for a vendor, and answers with its archived payloads."""

    def __init__(self, found: ArchivedFetch) -> None:
        self.name = found.run.vendor
        self.capabilities = found.vendor.capabilities
        self._found = found

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return self._found.vendor.basis(instrument, timeframe)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        if isinstance(self._found.vendor, ReadsArchived):
            for question, contents in self._found.questions(request):
                for result in self._found.vendor.reread(contents, question):
                    # A statement of then would undo what the source has corrected since.
                    yield replace(result, actions=CORPORATE_ACTIONS.empty())


class _ArchivedLanding(Landing):
    """Lands a past answer; of the verdicts it keeps those that nobody has asked about since."""

    def _take_back(self, rejected: pl.DataFrame, raw: pl.DataFrame) -> None:
        """Nothing: of a past answer no actions are read, so that it names none."""

    def _now(self) -> None:
        """Long ago."""

    def _tell_shapes(self, outcomes: Mapping[str, SymbolOutcome]) -> None:
        """Nothing: a past answer says nothing of how the vendor answers today."""

    def _record(self, verdicts: pl.DataFrame, entry: IngestRun, landed: Landed) -> None:  # noqa: ARG002
        """The verdicts on sessions whose newest question is this one.

        Bars may be found that nobody could read then; that an archive holds no bar of a session
        whose answer never came says nothing about the session.
        """
        run = self._request
        own = self._platform.ledger.read(
            timeframe=run.timeframe,
            vendors=[run.vendor],
            symbols=run.symbols,
            sessions=(run.first, run.last),
        ).filter(pl.col("fetch_id") == self._asking.fetch_id)
        answers = [str(outcome) for outcome in Outcome if outcome.is_answer]
        newest = verdicts.join(
            own.select("symbol", "session", before="outcome"),
            on=["symbol", "session"],
            how="inner",
            maintain_order="left",
        ).filter((pl.col("outcome") == str(Outcome.ROWS)) | pl.col("before").is_in(answers))
        newest = newest.drop("before")
        if not newest.is_empty():
            self._platform.ledger.record(newest)
