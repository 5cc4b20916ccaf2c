"""Which page of docs/runbooks, and which place in it, says what to do about a finding's code.

What belongs here: from codes to a page and its place. What does not: whose codes are on which page
(market_data/quality/runbooks.py, market_data/operations/pages.py), the pages, where they are served
(config/alerts.yaml, `runbooks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Places:
    """The places of codes.

    Args:
        pages: name of a page, without .md, to its codes, apart by spaces.
    """

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._page_of = {code: page for page, codes in pages.items() for code in codes.split()}

    def of(self, code: str, otherwise: str = "", *, suffix: str = ".md") -> str:
        """Page and place of a code, such as kafka-lag.md#kafka_lag.

        Args:
            code: of the finding.
            otherwise: the page of codes that none names; empty: they have no place.
            suffix: of the page.
        """
        page = self._page_of.get(code, otherwise)
        return f"{page}{suffix}#{code}" if page else ""

    def of_all(self, codes: Iterable[str], otherwise: str = "") -> str:
        """The page of several codes: the first one's, with its place where it is alone."""
        places = sorted({place for code in codes if (place := self.of(code, otherwise))})
        if len(places) == 1:
            return places[0]
        return places[0].partition("#")[0] if places else ""
