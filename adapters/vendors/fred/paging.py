"""The pages of one question to FRED: whether they answer it, and are whole together.

What belongs here: what every page has to say about itself, and when there are enough of them.
What does not: sending (client.py), what the rows mean (answers.py).

FRED repeats in each answer what it was asked, and counts the rows of all pages. Rows may come in
between while pages are asked for, and move the others: then one comes twice and another never. A
row that is missing would pass for a date that was withdrawn, so that such pages are refused as a
whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from adapters.vendors.json_body import text_column
from market_data.errors import MalformedAnswerError

MOST_PAGES = 50
"""Of one question; the longest that is put takes two."""
_SHOWN = 60
_ECHOED = (
    "realtime_start",
    "realtime_end",
    "observation_start",
    "observation_end",
    "output_type",
    "sort_order",
    "limit",
    "offset",
)
"""What FRED says again of a question. It names neither series nor release there."""


class Pages:
    """Pages as they come, until they hold every row that FRED counts."""

    def __init__(
        self,
        path: str,
        params: Mapping[str, str | int],
        *,
        rows: str,
        key: Sequence[str],
        limit: int,
    ) -> None:
        """Begin without a page.

        Args:
            path: of the interface: "series/observations".
            params: of the question.
            rows: the key of an answer's rows.
            key: the fields by which no two rows are the same; none for rows that are plain texts.
            limit: most rows of one page, as FRED documents it.
        """
        self.path = path
        self._params = params
        self._name, self._key, self._limit = rows, tuple(key), limit
        self._rows: list[Any] = []
        self._count: int | None = None
        self._pages = 0

    @property
    def lacking(self) -> bool:
        """Whether another page has to be asked for."""
        return self._count is None or len(self._rows) < self._count

    @property
    def question(self) -> dict[str, str | int]:
        """Of the next page."""
        place: dict[str, str | int] = {"limit": self._limit, "offset": len(self._rows)}
        return {**self._params, "file_type": "json", **place}

    def add(self, body: Mapping[str, Any]) -> None:
        """Take the next page.

        Raises:
            MalformedAnswerError: it answers another question, is no page, or does not go with the
                pages before it.
        """
        count, page = self._counted(body), self._listed(body)
        self._compare(body)
        if self._count not in (None, count):
            raise self._refusal(f"counts {self._count} rows on one page and {count} on the next")
        self._count = count
        self._pages += 1
        self._rows += page
        if len(page) > self._limit or len(self._rows) > count or (self.lacking and not page):
            raise self._refusal(f"counts {count} rows and gave {len(self._rows)}")
        if count > MOST_PAGES * self._limit or (self.lacking and self._pages >= MOST_PAGES):
            raise self._refusal(f"has more than {MOST_PAGES} pages")

    def whole(self) -> list[Any]:
        """The rows of all pages.

        Raises:
            MalformedAnswerError: a page is lacking, or a row came twice and another one never.
        """
        if self.lacking:
            raise self._refusal(f"counts {self._count} rows and gave {len(self._rows)}")
        found = self._distinct()
        if found != self._count:
            raise self._refusal(f"counts {self._count} rows and gave {found} different ones")
        return self._rows

    def _distinct(self) -> int:
        if not self._key:
            return text_column(self._name, self._rows).n_unique()
        columns = [text_column(k, [row.get(k) for row in self._rows]) for k in self._key]
        return pl.DataFrame(columns).n_unique() if self._rows else 0

    def _counted(self, body: Mapping[str, Any]) -> int:
        count = body.get("count")
        if not isinstance(count, str) or re.fullmatch(r"[0-9]{1,9}", count) is None:
            raise self._refusal("does not count its rows")
        return int(count)

    def _listed(self, body: Mapping[str, Any]) -> list[Any]:
        page = body.get(self._name)
        kind = dict if self._key else str
        if not isinstance(page, list) or not set(map(type, page)) <= {kind}:
            raise self._refusal(f"has no rows of {self._name}")
        return page

    def _compare(self, body: Mapping[str, Any]) -> None:
        """Refuse an answer that says that it was asked something else, or does not say what."""
        asked = self.question
        for name in _ECHOED:
            if name in asked and body.get(name) != str(asked[name]):
                (told,) = text_column(name, [body.get(name)])
                says = "nothing" if told is None else repr(told[:_SHOWN])
                raise self._refusal(f"was asked for {name} {asked[name]!r} and speaks of {says}")

    def _refusal(self, what: str) -> MalformedAnswerError:
        return MalformedAnswerError(f"FRED: {self.path} {what}")
