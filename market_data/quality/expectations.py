"""What sessions are expected to hold: the parsed form of config/expectations.yaml, and its check.

What belongs here: the records, which entry counts, their version, comparing sessions with them.
What does not: the entries themselves (config/expectations.yaml), what the calendar expects
(coverage.py), limits by asset class (thresholds.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from market_data.errors import ConfigurationError
from market_data.quality.findings import (
    KEY,
    SAMPLE_ROWS,
    CheckOutcome,
    findings,
    per_cent,
    together,
)
from market_data.quality.view import BarsView

CHECK = "coverage"
Patterns = Annotated[tuple[str, ...], Field(min_length=1)]
Rows = Annotated[int, Field(ge=0)]
_BOUNDS = {
    "symbol": pl.String,
    "expectation": pl.String,
    "at_least": pl.Int64,
    "at_most": pl.Int64,
    "wanted": pl.Float64,
    "severity": pl.String,
}


class Expectation(BaseModel):
    """One entry.

    Attributes:
        name: what is expected, in a few words.
        datasets: patterns of names of bar datasets.
        symbols: patterns of symbols.
        at_least: rows of a session that is over and has any.
        at_most: rows of a session.
        coverage: share of the bars that the calendar expects.
        severity: of a finding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    datasets: Patterns
    symbols: Patterns = ("*",)
    at_least: Rows | None = None
    at_most: Rows | None = None
    coverage: Annotated[float, Field(ge=0, le=1)] | None = None
    severity: Literal["warn", "error"] = "warn"

    @model_validator(mode="after")
    def _says_something(self) -> Expectation:
        if self.at_least is None and self.at_most is None and self.coverage is None:
            raise ValueError("give at_least, at_most or coverage")
        if self.at_least is not None and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("at_most is less than at_least")
        return self

    def fits(self, dataset: str, symbol: str) -> bool:
        """Whether it speaks of a symbol of a dataset."""
        return any(fnmatchcase(dataset, p) for p in self.datasets) and any(
            fnmatchcase(symbol, p) for p in self.symbols
        )


class Expectations:
    """All entries, in their order."""

    def __init__(self, entries: Sequence[Expectation] = ()) -> None:
        self.entries = tuple(entries)

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Expectations:
        """Read the mapping of config/expectations.yaml.

        Raises:
            ConfigurationError: a key that does not exist, or a value that is missing, of the
                wrong type or out of its range; the message names the entry and the key.
        """
        extra = sorted(set(mapping) - {"expectations"})
        if extra:
            raise ConfigurationError(
                f"expectations: unknown key {extra[0]!r}; the only one is 'expectations'"
            )
        listed = mapping.get("expectations") or []
        if not isinstance(listed, list):
            raise ConfigurationError("expectations: 'expectations' must be a list of entries")
        return cls([_entry(number, given) for number, given in enumerate(listed, start=1)])

    def of(self, dataset: str, symbol: str) -> Expectation | None:
        """The entry that counts; None where none fits."""
        return next((e for e in self.entries if e.fits(dataset, symbol)), None)

    def version(self, dataset: str, symbol: str) -> str:
        """Names what is expected of a symbol of a dataset; empty where nothing is.

        The name of an entry is no part of it: other words expect nothing else.
        """
        found = self.of(dataset, symbol)
        if found is None:
            return ""
        meant = found.model_dump(include={"at_least", "at_most", "coverage", "severity"})
        return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()[:8]

    def bounds(self, dataset: str, symbols: Sequence[str]) -> pl.DataFrame:
        """What counts for each of some symbols of which something is expected.

        Returns:
            Columns symbol, expectation, at_least, at_most, wanted (coverage), severity.
        """
        found = [(symbol, self.of(dataset, symbol)) for symbol in symbols]
        rows = [
            (symbol, e.name, e.at_least, e.at_most, e.coverage, e.severity)
            for symbol, e in found
            if e is not None
        ]
        return pl.DataFrame(rows, schema=_BOUNDS, orient="row")


NOTHING_EXPECTED = Expectations()


def check_expectations(
    view: BarsView, measured: pl.DataFrame, expectations: Expectations
) -> CheckOutcome:
    """Compare sessions with what is expected of them.

    Codes: row_count (rows below at_least or above at_most), below_expectation (coverage below that
    of the entry). Severity is the entry's. A session without rows is not judged here.

    Args:
        view: the slice.
        measured: what `market_data.quality.coverage.measure_coverage` said of it.
        expectations: what is expected.
    """
    symbols = sorted(i.symbol for i in view.instruments)
    bounds = expectations.bounds(view.dataset, symbols)
    if bounds.is_empty():
        return CheckOutcome()
    counted = view.bars.group_by(KEY).agg(stored=pl.len().cast(pl.Int64))
    sessions = counted.join(bounds, on="symbol").join(
        measured.select(*KEY, "coverage", "closed"), on=KEY, how="left"
    )
    closed = pl.col("closed").fill_null(value=False)
    few = (closed & (pl.col("stored") < pl.col("at_least"))).fill_null(value=False)
    many = (pl.col("stored") > pl.col("at_most")).fill_null(value=False)
    counts = sessions.filter(few | many).with_columns(
        code=pl.lit("row_count"),
        value=pl.col("stored").cast(pl.Float64),
        threshold=pl.when(few).then("at_least").otherwise("at_most").cast(pl.Float64),
        rows="stored",
        detail=pl.format(
            "{} row(s), expected {} {} ({})",
            "stored",
            pl.when(few).then(pl.lit("at least")).otherwise(pl.lit("at most")),
            pl.when(few).then("at_least").otherwise("at_most"),
            "expectation",
        ),
    )
    short = sessions.filter(closed, pl.col("coverage") < pl.col("wanted")).with_columns(
        code=pl.lit("below_expectation"),
        value="coverage",
        threshold="wanted",
        rows="stored",
        detail=pl.format(
            "coverage is {}, expected {} ({})",
            per_cent("coverage"),
            per_cent("wanted"),
            "expectation",
        ),
    )
    return together([_outcome(view, counts), _outcome(view, short)])


def _outcome(view: BarsView, found: pl.DataFrame) -> CheckOutcome:
    sample = found.sort("session", "symbol").select(*KEY, "stored", "coverage", "expectation")
    return CheckOutcome(
        findings(found, check=CHECK, dataset=view.dataset), sample.head(SAMPLE_ROWS)
    )


def _entry(number: int, given: Any) -> Expectation:
    try:
        return Expectation.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = given.get("name") if isinstance(given, dict) else None
        place = f"{number} ({name})" if name else str(number)
        key = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"expectations: entry {place}{f', {key}' if key else ''}: {said}"
        ) from error
