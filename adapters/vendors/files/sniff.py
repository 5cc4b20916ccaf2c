"""A proposal of a format for an unknown file.

What belongs here: the trial of the specs that exist, and the building of a new one by
proposal.py where none fits.
What does not: any decision; a person confirms the proposal, its notes say what was guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import polars as pl
import yaml

from adapters.vendors.files.discovery import discover
from adapters.vendors.files.proposal import propose
from adapters.vendors.files.sample import Sample, read_sample, sample_bars, spacing
from adapters.vendors.files.spec import FormatSpec, load_formats
from market_data.errors import MalformedAnswerError
from market_data.timeframes import Timeframe

ROWS = 10
"""Bars that a proposal shows."""

_ACCEPTED = 0.95
"""Share of sample rows that a known spec must read."""

_COMMON_WORDS = frozenset(
    ("csv", "daily", "hour", "minute", "intraday", "data", "fx", "est", "m1", *Timeframe)
)
"""Words of spec names that tell no vendor."""

_OPEN, _CLOSE = (int(hour * 3600 * 1e9) for hour in (9.5, 16))
"""New York's session in nanoseconds since midnight."""


@dataclass(frozen=True)
class Sniffed:
    """A proposal.

    Attributes:
        spec: the format.
        known: whether it is one of the shipped specs.
        confidence: 0 to 1: the share of rows read, less what had to be guessed.
        notes: what was seen and what was guessed, one sentence each.
        rows: first bars as the spec reads them, rows of FETCHED_BARS.
        symbol: the symbol that the name speaks for, if any.
    """

    spec: FormatSpec
    known: bool
    confidence: float
    notes: tuple[str, ...]
    rows: pl.DataFrame
    symbol: str | None = None

    def yaml(self) -> str:
        """The spec as a file for config/formats."""
        values = self.spec.model_dump(mode="json", exclude_defaults=True)
        columns = self.spec.columns
        if not self.spec.header:
            at = {int(index[0]): role for role, index in columns.items()}
            values["columns"] = [at.get(i, "-") for i in range(self.spec.width or 0)]
            values.pop("width", None)
        else:
            values["columns"] = {r: n[0] if len(n) == 1 else list(n) for r, n in columns.items()}
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class _Trial:
    spec: FormatSpec
    bars: pl.DataFrame
    share: float
    points: float


def sniff(path: Path | str, formats: Mapping[str, FormatSpec] | None = None) -> Sniffed:
    """Look at the first rows of a file and propose how to read it.

    Args:
        path: a file; plain, gzip or zip.
        formats: the specs to try first; the shipped ones where None.

    Raises:
        VendorUnavailableError: the file does not exist or cannot be read.
        MalformedAnswerError: it is empty, no text, or has no columns that can be bars.
    """
    sample = read_sample(Path(path).expanduser())
    specs = load_formats() if formats is None else formats
    distinct = {spec.name: spec for spec in specs.values()}.values()
    trials = [t for spec in distinct if (t := _try(sample, spec)) is not None]
    best = max(trials, key=lambda t: t.points, default=None)
    if best is not None:
        return _known(best, trials, sample)
    spec, notes, bars, share = propose(sample)
    confidence = share * max(0.2, 0.8 - 0.1 * len(notes))
    return Sniffed(spec, False, round(confidence, 2), tuple(notes), bars.head(ROWS))


def _known(best: _Trial, trials: list[_Trial], sample: Sample) -> Sniffed:
    others = sorted(t.spec.name for t in trials if t.points > best.points - 1 and t is not best)
    notes = [f"{best.share:.0%} of the sample reads as {best.spec.name}"]
    if best.spec.time.label == "end":
        notes.append("times are taken as the END of the bar")
    if others:
        notes.append(f"{', '.join(others)} read it too: check vendor, time zone and label")
    (found,) = discover(sample.path, best.spec)
    confidence = round(best.share * (0.7 if others else 1.0), 2)
    rows = best.bars.head(ROWS)
    return Sniffed(best.spec, True, confidence, tuple(notes), rows, found.symbol)


def _try(sample: Sample, spec: FormatSpec) -> _Trial | None:
    """How well a spec fits; None where it does not."""
    if spec.encoding != sample.encoding:
        return None
    try:
        bars, rejected = sample_bars(sample, spec)
    except MalformedAnswerError:
        # That the columns differ is the answer that was asked for here.
        return None
    share = len(bars) / (len(bars) + rejected) if len(bars) else 0.0
    fits = (_spacing_fits, _label_fits, _plausible)
    if share < _ACCEPTED or not all(fit(bars, spec) for fit in fits):
        return None
    return _Trial(spec, bars, share, share + _resemblance(sample.path, bars, spec))


def _resemblance(path: Path, bars: pl.DataFrame, spec: FormatSpec) -> float:
    """What speaks for a spec beyond its reading the rows: names of file and folder, columns."""
    words = {word for part in path.absolute().parts[-4:] for word in _words(part)}
    told = words & ({spec.vendor, *_words(spec.name)} - _COMMON_WORDS)
    filled = [c for c in ("volume", "trades", "adj_close") if bars[c].null_count() == 0]
    (found,) = discover(path, spec)
    points = 1.5 * len(told) + 0.5 * len(filled)
    points += 1.0 * (_tells(spec.files) and fnmatch(path.name.lower(), spec.files.lower()))
    # Whole and large prices hardly happen where none were scaled up.
    points += 1.5 * (spec.price_scale > 1)
    points += 1.0 * (spec.symbol_from == "regex" and found.symbol is not None)
    return points


def _tells(pattern: str) -> bool:
    """Whether a glob asks for more than an extension."""
    return re.sub(r"\*|\.(csv|txt|zip|gz)", "", pattern) != ""


def _words(text: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", text.lower())


def _spacing_fits(bars: pl.DataFrame, spec: FormatSpec) -> bool:
    step = spacing(bars)
    # Days read from hourly rows repeat themselves; so do times in a table of many symbols.
    once = spec.symbol_from == "column" or bars["ts"].n_unique() > 0.9 * len(bars)
    return once and (step is None or step == spec.timeframe.duration)


def _label_fits(bars: pl.DataFrame, spec: FormatSpec) -> bool:
    """Whether New York's session, where a sample is of just that, begins and ends in time."""
    if spec.time.zone != "America/New_York" or not spec.timeframe.is_intraday:
        return True
    clock = bars["ts"].dt.convert_time_zone(spec.time.zone).dt.time()
    step = int(spec.timeframe.duration.total_seconds()) * 1_000_000_000
    hours = pl.Series([clock.min(), clock.max()], dtype=pl.Time()).cast(pl.Int64).to_list()
    return hours not in ([_OPEN - step, _CLOSE - 2 * step], [_OPEN + step, _CLOSE])


def _plausible(bars: pl.DataFrame, spec: FormatSpec) -> bool:
    """Whether price order and size can be those of the spec's class."""
    if bars.is_empty():
        return False
    ordered = bars.select(
        (
            (pl.col("high") >= pl.max_horizontal("open", "close", "low"))
            & (pl.col("low") <= pl.min_horizontal("open", "close"))
        ).mean()
    ).item()
    if ordered < 0.9:
        return False
    if spec.price_scale > 1:
        # Prices that were scaled up are whole numbers and large ones.
        scaled = pl.col("close") * spec.price_scale
        whole = (scaled - scaled.round()).abs() < 1e-3
        return bool(bars.select((whole & (scaled > 1000)).all()).item())
    return True
