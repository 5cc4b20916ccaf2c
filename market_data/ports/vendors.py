"""The vendors port: every configured vendor by its name, whether it is ever asked or not."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from market_data.answer_shapes import AnswerFields
from market_data.ports.request_gate import Window
from market_data.ports.vendor import Vendor
from market_data.timeframes import Timeframe


class Telling(StrEnum):
    """Which answers of a series tell every split from their first bar until now.

    An answer that tells splits tells dividends too.
    """

    NONE = "none"
    WITH_ADJUSTED_CLOSE = "those that hold an adjusted close"
    EVERY = "every"


class Vendors(Protocol):
    """The vendors of one installation; `name` is that of config/universe.yaml everywhere.

    Every method raises ConfigurationError where there is no such vendor, or a setting of it is
    wrong. None but `open` loads what understands its answers.
    """

    @property
    def patience(self) -> timedelta:
        """How long a request to a vendor waits for its turn before it is refused."""
        ...

    def open(
        self,
        name: str,
        *,
        path: str | None = None,
        spec: str | None = None,
        prices_as_of: date | None = None,
    ) -> Vendor:
        """The vendor, ready to be asked; all but its name concern vendors that read files.

        Args:
            name: the vendor.
            path: its files, instead of the configured ones.
            spec: their format, instead of the configured one.
            prices_as_of: the day on which they were exported, for split-adjusted prices.
        """
        ...

    def why_off(self, name: str) -> str:
        """Why it cannot be asked, in a sentence; empty where it can."""
        ...

    def delay(self, name: str) -> timedelta:
        """Time after a bar's end at which it can be had."""
        ...

    def settling(self, name: str) -> timedelta | None:
        """Time after a session's close from which its missing bars are not to be expected any more.

        None where they may always come.
        """
        ...

    def tells_splits(self, name: str, timeframe: Timeframe) -> Telling:
        """Which of its answers about bars of this length tell every split since their first bar.

        Args:
            name: the vendor, which is asked for the series that its options name.
            timeframe: of the bars.
        """
        ...

    def fields(self, name: str) -> AnswerFields | None:
        """Which fields of its answers matter; None where their shape is not watched."""
        ...

    def windows(self, name: str) -> tuple[Window, ...]:
        """How much is used now of what it lets us ask; empty where it sets no limit."""
        ...
