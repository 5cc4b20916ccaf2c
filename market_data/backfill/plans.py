"""The plan of a backfill: the wish, and its pieces.

What belongs here: plain records. What does not: their form as text (plan_json.py), making a plan
(market_data/pipeline/backfill.py), how far one is (records.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from market_data.backfill.estimate import Estimate, work_seconds
from market_data.errors import ConfigurationError
from market_data.features.registry import bar_groups
from market_data.timeframes import Timeframe

CURATED, RAW = "curated", "raw"
LOCAL, SPARK = "local", "spark"
"""Engines that curate and compute features."""
_BARS = "bars_"
Span = tuple[str, date, date]
"""A symbol, its first and its last session, both included."""


@dataclass(frozen=True)
class BackfillRequest:
    """What is to be there afterwards.

    Attributes:
        dataset: curated/bars_<timeframe>, or raw/<vendor>_bars_<timeframe> for raw bars alone.
        symbols: of which instruments; empty for all that are served.
        first: first session.
        last: last session, included.
        vendors: only these are asked; empty for all that are on and need no files.
        refetch: ask again for what the ledger has an answer to.
        overwrite_curated: make curated bars and scores of the whole range anew, not only where
            an answer is lacking.
        outdated: ask nobody; make anew what other rules, or definitions of features, made than
            those in force.
        only: spans of sessions outside of which nothing is asked for, where it is less than the
            whole range of every symbol; empty where it is that.
        overwrite_features: make the features of the whole range anew.
        thorough: of what is out of date, also what rules of the same version would make otherwise
            of the raw logs as they are now.
        engine: what curates and computes features: this machine, or the executors of Spark. Both
            make the same rows.
    """

    dataset: str
    symbols: tuple[str, ...]
    first: date
    last: date
    vendors: tuple[str, ...] = ()
    refetch: bool = False
    overwrite_curated: bool = False
    outdated: bool = False
    only: tuple[Span, ...] = ()
    overwrite_features: bool = False
    thorough: bool = False
    engine: str = LOCAL

    def covers(self, other: BackfillRequest) -> bool:
        """Whether all that another one asks of these vendors for this dataset is asked for here."""
        if (self.dataset, self.vendors) != (other.dataset, other.vendors):
            return False
        if not set(other.symbols) <= set(self.symbols):
            return False
        spans = other.only or ((s, other.first, other.last) for s in other.symbols)
        return all(self._spans(*span) for span in spans)

    def _spans(self, symbol: str, first: date, last: date) -> bool:
        own = self.only or ((symbol, self.first, self.last),)
        return any(s == symbol and f <= first and last <= t for s, f, t in own)

    @property
    def layer(self) -> str:
        """Raw or curated."""
        return self.dataset.split("/", 1)[0]

    @property
    def timeframe(self) -> Timeframe:
        """Of the bars that are wanted."""
        return dataset_parts(self.dataset)[1]


def dataset_parts(dataset: str) -> tuple[str, Timeframe]:
    """The vendor of raw bars, empty for curated ones, and the timeframe.

    Args:
        dataset: curated/bars_1d, or raw/yahoo_bars_1d.

    Raises:
        ConfigurationError: it is none of these.
    """
    layer, _, name = dataset.partition("/")
    head, found, length = name.rpartition(_BARS)
    vendor = head.removesuffix("_")
    known = found and length in {str(t) for t in Timeframe}
    if known and layer == CURATED and not head:
        return "", Timeframe(length)
    if known and layer == RAW and vendor and head.endswith("_"):
        return vendor, Timeframe(length)
    raise ConfigurationError(
        f"{dataset!r} is no dataset that can be backfilled; it takes bars_1d (or another "
        "timeframe) for curated bars, raw/yahoo_bars_1d for the raw bars of one vendor"
    )


@dataclass(frozen=True)
class Piece:
    """One ranged run.

    Attributes:
        number: from 0 on, oldest sessions first.
        timeframe: of the bars that vendors are asked for.
        first: first session.
        last: last session, included.
        symbols: what is curated and scored.
        asked: vendor to the symbols that it is asked for; empty where nobody is.
        also: coarser timeframes that are made of the same bars.
        symbol_sessions: how many are to be worked on.
        bars: so many bars are expected of these, of each vendor.
        requests: by vendor, retries left out.
        spans: first and last session of symbols that are asked for less than the whole range.
        curated: bars are curated and scored; of a backfill of raw bars it says nothing.
        features: features are made of them.
        features_of: bars of which timeframes; empty for all of the piece.
    """

    number: int
    timeframe: Timeframe
    first: date
    last: date
    symbols: tuple[str, ...]
    asked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    also: tuple[Timeframe, ...] = ()
    symbol_sessions: int = 0
    bars: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)
    curated: bool = True
    features: bool = False
    features_of: tuple[Timeframe, ...] = ()

    @property
    def featured(self) -> tuple[Timeframe, ...]:
        """Timeframes of the bars whose features are made."""
        return (self.features_of or (self.timeframe, *self.also)) if self.features else ()

    @property
    def days(self) -> int:
        """Calendar days of the range, which are its partitions."""
        return (self.last - self.first).days + 1

    def spans_of(self, symbols: Iterable[str]) -> dict[str, tuple[date, date]]:
        """The spans of those of some symbols that have one."""
        return {symbol: self.spans[symbol] for symbol in symbols if symbol in self.spans}

    def assets(self, layer: str) -> int:
        """How many assets its run makes: raw bars, and then curated ones, quarantine, scores."""
        if layer != CURATED:
            return len(self.asked)
        made = (self.timeframe, *self.also)
        features = sum(len(bar_groups(t)) for t in self.featured)
        return len(self.asked) + (2 + len(made) if self.curated else 0) + features

    def rows(self, layer: str) -> int:
        """Bars that are expected: raw ones of each vendor, and curated ones."""
        if layer != CURATED:
            return self.bars * len(self.asked)
        made = (self.timeframe, *self.also)
        features = sum(len(bar_groups(t)) for t in self.featured)
        return self.bars * (len(self.asked) + (len(made) if self.curated else 0) + features)

    def work(self, layer: str) -> float:
        """Seconds of its work by the default rates; without its start and its vendors."""
        return work_seconds(days=self.days, assets=self.assets(layer), bars=self.rows(layer))


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill will do.

    Attributes:
        request: the wish.
        pieces: its runs, oldest sessions first.
        complete: symbol-sessions that need nothing.
        not_begun: symbol-sessions that open after now.
        estimate: how long it takes, and what that rests on.
        pilot: it takes the newest sessions of a larger one only.
        off_peak: its pieces begin in the off-peak window alone.
        snapshot: names what the stores held before it; empty where nobody kept that.
    """

    request: BackfillRequest
    pieces: tuple[Piece, ...]
    complete: int
    not_begun: int
    estimate: Estimate
    pilot: bool = False
    off_peak: bool = False
    snapshot: str = ""

    @property
    def symbol_sessions(self) -> int:
        """How many are to be worked on."""
        return sum(piece.symbol_sessions for piece in self.pieces)

    @property
    def requests(self) -> dict[str, int]:
        """By vendor, retries left out."""
        counted: Counter[str] = Counter()
        for piece in self.pieces:
            counted.update(piece.requests)
        return dict(sorted(counted.items()))

    @property
    def rows(self) -> int:
        """Bars that are expected: raw ones of each vendor, and curated ones."""
        return sum(piece.rows(self.request.layer) for piece in self.pieces)
