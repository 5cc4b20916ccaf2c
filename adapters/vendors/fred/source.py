"""FRED as the source of macro releases: announced dates, and values with all their vintages.

What belongs here: which questions a range takes. What does not: sending (client.py), reading
(answers.py), which releases matter (market_data/macro).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from adapters.vendors.fred.answers import release_dates, vintages
from adapters.vendors.fred.client import FredClient
from market_data.ports import MacroAnswer, Payload

LONG = timedelta(days=62)
"""A range that is longer is asked release by release: the dates of all three hundred releases would
take more pages than that."""
ALL_DATES_LIMIT, DATES_LIMIT, OBSERVATIONS_LIMIT = 1_000, 10_000, 100_000
FOR_EVER = "9999-12-31"


class FredSource:
    """Dates and vintages from FRED, see `market_data.ports.MacroSource`.

    Args:
        client: asks.
        names: FRED's names of releases, by their numbers.
    """

    def __init__(self, client: FredClient, names: Mapping[int, str]) -> None:
        self._client = client
        self._names = names

    def release_dates(self, releases: Sequence[int], first: date, last: date) -> MacroAnswer:
        """Every date of some releases in a range, those without values yet included."""
        window: dict[str, str | int] = {
            "realtime_start": first.isoformat(),
            "realtime_end": last.isoformat(),
            "sort_order": "asc",
            "include_release_dates_with_no_data": "true",
        }
        frames: list[pl.DataFrame] = []
        payloads: list[Payload] = []
        if last - first <= LONG:
            rows, payloads = self._client.pages(
                "releases/dates", window, rows="release_dates", limit=ALL_DATES_LIMIT
            )
            frames.append(release_dates(rows))
        else:
            for number in releases:
                rows, came = self._client.pages(
                    "release/dates",
                    {"release_id": number, **window},
                    rows="release_dates",
                    limit=DATES_LIMIT,
                )
                frames.append(release_dates(rows, self._names.get(number, str(number))))
                payloads += came
        wanted = pl.concat(frames).filter(
            pl.col("release").is_in(list(releases)), pl.col("session").is_between(first, last)
        )
        return MacroAnswer(wanted.sort("session", "release"), payloads)

    def vintages(self, series: str, first: date, last: date) -> MacroAnswer:
        """Every value that was ever given for the periods of a range.

        The vintages are asked for from the first period on: none is older, so that no first day
        is cut off at the beginning of the question.
        """
        rows, payloads = self._client.pages(
            "series/observations",
            {
                "series_id": series,
                "observation_start": first.isoformat(),
                "observation_end": last.isoformat(),
                "realtime_start": first.isoformat(),
                "realtime_end": FOR_EVER,
                "output_type": 1,
            },
            rows="observations",
            limit=OBSERVATIONS_LIMIT,
        )
        inside = pl.col("period").is_between(first, last)
        return MacroAnswer(vintages(rows).filter(inside).sort("seen", "period"), payloads)
