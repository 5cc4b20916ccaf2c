"""The macro source port: who announces releases and gives the values of their series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import polars as pl

from market_data.ports.payload_archive import Payload
from market_data.schemas import REJECTED_ROWS


@dataclass(frozen=True)
class MacroAnswer:
    """An answer, and the bytes that it was read from.

    Attributes:
        frame: its rows.
        payloads: as they came, in order.
        rejected: rows of REJECTED_ROWS: of a series, what holds no value that can be read.
    """

    frame: pl.DataFrame
    payloads: Sequence[Payload]
    rejected: pl.DataFrame = field(default_factory=REJECTED_ROWS.empty)


class MacroSource(Protocol):
    """A source of macro releases."""

    def release_dates(self, releases: Sequence[int], first: date, last: date) -> MacroAnswer:
        """Every date of some releases in a range, those without values yet included.

        Args:
            releases: numbers of the releases.
            first: first date.
            last: last date, included.

        Returns:
            Columns release (Int64), name (String), session (Date), each date once.

        Raises:
            VendorError: one of its typed subclasses.
        """
        ...

    def vintages(self, series: str, first: date, last: date) -> MacroAnswer:
        """Every value that was ever given for the periods of a range.

        Args:
            series: the source's name of it.
            first: no period begins before.
            last: no period begins after.

        Returns:
            Columns seen (Date: first day on which the value was given), period (Date: first day
            of it), value (Float64, null where the source says that there is none).

        Raises:
            VendorError: one of its typed subclasses.
        """
        ...
