"""What one vendor is asked in a run.

What belongs here: the request to one vendor in the words of a run's configuration.
What does not: what the ledger lacks of it (planning.py), who launches runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Feed:
    """What a run asks one vendor for.

    Attributes:
        vendor: who is asked.
        symbols: for what.
        path: the files, of a vendor that reads files.
        spec: their format.
        refetch: ask again for what the ledger has an answer to.
        prices_as_of: day on which split-adjusted files were exported.
        spans: first and last session of symbols that are asked for less than the whole range.
    """

    vendor: str
    symbols: tuple[str, ...]
    path: str | None = None
    spec: str | None = None
    refetch: bool = False
    prices_as_of: str | None = None
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """The run configuration of the vendor's raw bars."""
        given = {"path": self.path, "spec": self.spec, "prices_as_of": self.prices_as_of}
        return {
            "symbols": list(self.symbols),
            "refetch": self.refetch,
            "spans": {s: [day.isoformat() for day in span] for s, span in self.spans.items()},
            **{name: value for name, value in given.items() if value is not None},
        }
