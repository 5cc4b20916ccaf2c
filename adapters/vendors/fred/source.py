"""FRED as the source of macro releases: announced dates, and values with all their vintages.

What belongs here: which questions a range takes. What does not: sending (client.py), reading
(answers.py), which releases matter (market_data/macro).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from adapters.vendors.fred.answers import release_dates, vintage_days, vintages
from adapters.vendors.fred.client import FredClient, TooManyVintagesError
from adapters.vendors.fred.cost import ALL_DATES_LIMIT, DATES_LIMIT, LONG, OBSERVATIONS_LIMIT
from market_data.ports import MacroAnswer, Payload

VINTAGES_LIMIT = 1_900
"""Days on which values changed, in one question about a real-time period; FRED refuses 2,000."""
_DAY = timedelta(days=1)
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
                "releases/dates",
                window,
                rows="release_dates",
                key=("release_id", "date"),
                limit=ALL_DATES_LIMIT,
            )
            frames.append(release_dates(rows))
        else:
            for number in releases:
                rows, came = self._client.pages(
                    "release/dates",
                    {"release_id": number, **window},
                    rows="release_dates",
                    key=("release_id", "date"),
                    limit=DATES_LIMIT,
                )
                frames.append(release_dates(rows, number, self._names.get(number, str(number))))
                payloads += came
        wanted = pl.concat(frames).filter(
            pl.col("release").is_in(list(releases)), pl.col("session").is_between(first, last)
        )
        return MacroAnswer(wanted.sort("session", "release"), payloads)

    def vintages(self, series: str, first: date, last: date) -> MacroAnswer:
        """Every value that was ever given for the periods of a range.

        The vintages are asked for from the first period on: none is older, so that no first day
        is cut off at the beginning of the question. Where these are more than FRED gives at once,
        as of daily series after eight years, their days are asked for, and the values in portions.
        """
        try:
            return self._values(series, (first, last), first.isoformat(), FOR_EVER)
        except TooManyVintagesError:
            days, payloads = self._vintage_days(series, first)
        starts = days[VINTAGES_LIMIT::VINTAGES_LIMIT]
        ends = [*((start - _DAY).isoformat() for start in starts), FOR_EVER]
        parts = [
            self._values(series, (first, last), since.isoformat(), until)
            for since, until in zip([first, *starts], ends, strict=True)
        ]
        found = pl.concat([part.frame for part in parts]).sort("seen", "period")
        return MacroAnswer(
            _without_repeats(found, starts),
            [*payloads, *(payload for part in parts for payload in part.payloads)],
            pl.concat([part.rejected for part in parts]),
        )

    def _vintage_days(self, series: str, first: date) -> tuple[list[date], Sequence[Payload]]:
        """The days from a first one on, on which values of a series were given or changed."""
        rows, payloads = self._client.pages(
            "series/vintagedates",
            {
                "series_id": series,
                "realtime_start": first.isoformat(),
                "realtime_end": FOR_EVER,
                "sort_order": "asc",
            },
            rows="vintage_dates",
            key=(),
            limit=DATES_LIMIT,
        )
        return vintage_days(rows, first), payloads

    def _values(
        self, series: str, periods: tuple[date, date], since: str, until: str
    ) -> MacroAnswer:
        rows, payloads = self._client.pages(
            "series/observations",
            {
                "series_id": series,
                "observation_start": periods[0].isoformat(),
                "observation_end": periods[1].isoformat(),
                "realtime_start": since,
                "realtime_end": until,
                "output_type": 1,
            },
            rows="observations",
            key=("realtime_start", "date"),
            limit=OBSERVATIONS_LIMIT,
        )
        found, rejected = vintages(rows, series, date.fromisoformat(since))
        inside = pl.col("period").is_between(*periods)
        return MacroAnswer(found.filter(inside).sort("seen", "period"), payloads, rejected)


def _without_repeats(found: pl.DataFrame, starts: Sequence[date]) -> pl.DataFrame:
    """Values less those that a portion's first day gives again although they were given before."""
    before = pl.col("value").shift(1).over("period")
    again = pl.col("seen").is_in(list(starts)) & pl.col("value").eq_missing(before)
    return found.filter(pl.col("period").is_first_distinct() | ~again)
