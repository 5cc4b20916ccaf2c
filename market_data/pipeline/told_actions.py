"""The splits and dividends of one answer, on their way to the action log.

What belongs here: the order in which they are kept, when they count as known. What does not: the
bars of the answer (landing.py), what is refused (keep_actions.py), what the answer's prices show of
its splits (unworked.py).

Splits are kept before the bars: rows divided by one that nobody knows of could not be told from
prices as traded. So are dividends, but for those from before a split that has only begun to trade:
they wait for what the bars show of it.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.basis import Adjustment
from market_data.corporate_actions.as_paid import OF_FILE, as_paid
from market_data.corporate_actions.lateness import with_known_at
from market_data.corporate_actions.open_dividends import settled_dividends, waiting
from market_data.pipeline.asking import SPOKE, Asking
from market_data.pipeline.keep_actions import keep_actions
from market_data.pipeline.split_answers import telling, telling_timeframes
from market_data.schemas import CORPORATE_ACTIONS


class ToldActions:
    """What the parts of one answer tell of splits and dividends."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._platform, self._request, self._fetch = asking.platform, asking.request, asking.fetch
        self._told = CORPORATE_ACTIONS.empty()
        self._waiting = CORPORATE_ACTIONS.empty()

    def keep(self, told: pl.DataFrame) -> None:
        """Keep the splits and dividends of a part, but for those that have to wait.

        Args:
            told: rows of CORPORATE_ACTIONS, or none at all.
        """
        if told.is_empty():
            return
        told = self._as_paid(told).with_columns(source=pl.lit(self._source))
        told = told.select(self._told.columns)
        self._told = pl.concat([self._told, told])
        late = waiting(self._of_adjusted(), now=self._asking.started, calendar=self._calendar)
        self._waiting = late
        self._state(told.join(late, on=told.columns, how="anti", maintain_order="left"))

    def keep_settled(self, shown: pl.DataFrame) -> bool:
        """Keep the dividends that waited, as far as their value is known now; whether there is one.

        Args:
            shown: symbol, ex_date, worked_in: what the bars have shown of the splits until now.
        """
        if self._waiting.is_empty():
            return False
        known = self._platform.actions.statements(symbols=self._fetch.symbols)
        settled = settled_dividends(
            pl.concat([self._told.filter(pl.col("kind") == "split"), self._waiting]),
            shown,
            known.filter(pl.col("source") == self._request.vendor),
            now=self._asking.started,
            calendar=self._calendar,
        )
        key = ["symbol", "ex_date", "kind"]
        self._waiting = self._waiting.join(settled, on=key, how="anti", maintain_order="left")
        self._state(settled)
        return not settled.is_empty()

    @property
    def _calendar(self) -> str:
        return self._fetch.calendar

    @property
    def _source(self) -> str:
        config = self._platform.universe.vendor(self._request.vendor)
        return config.name + (OF_FILE if config.reader == "files" else "")

    def _as_paid(self, told: pl.DataFrame) -> pl.DataFrame:
        """The dividends of a file multiplied by what others tell of the splits after its end.

        Between its last bar and its export it tells none, but its dividends are divided by them.
        """
        bases = {
            s: self._asking.vendor.basis(
                self._platform.universe.instrument(s), self._request.timeframe
            )
            for s in told.get_column("symbol").unique()
        }
        spans = [(s, b.told_until, b.adjusted_on) for s, b in bases.items() if b.told_until]
        if not spans:
            return told
        columns = {"symbol": pl.String(), "_from": pl.Date(), "_until": pl.Date()}
        others = (
            self._platform.actions.read(symbols=[s for s, *_ in spans])
            .join(pl.DataFrame(spans, schema=columns, orient="row"), on="symbol")
            .filter(
                pl.col("kind") == "split",
                pl.col("ex_date") > pl.col("_from"),
                pl.col("ex_date") <= pl.col("_until"),
            )
        )
        cash = told.filter(pl.col("kind") == "dividend")
        return pl.concat([told.filter(pl.col("kind") == "split"), as_paid(cash, others)])

    def _of_adjusted(self) -> pl.DataFrame:
        """What was told of symbols whose prices the vendor divides by the splits that it tells."""
        vendor, timeframe = self._asking.vendor, self._request.timeframe
        if not telling_timeframes(self._platform, self._request.vendor):
            return self._told.clear()
        instruments = [self._platform.universe.instrument(s) for s in self._fetch.symbols]
        divided = [
            i.symbol
            for i in instruments
            if vendor.basis(i, timeframe).adjustment is Adjustment.SPLITS
        ]
        return self._told.filter(pl.col("symbol").is_in(divided))

    def _state(self, actions: pl.DataFrame) -> None:
        """Under the name of the vendor or its files, known since the vendor has told them."""
        log, now = self._platform.actions, self._asking.started
        same = [c for c in actions.columns if c != "known_at"]
        news = actions.join(log.statements(symbols=self._fetch.symbols), on=same, how="anti")
        if not news.is_empty():
            last = news.select(pl.col("ex_date").max()).item()
            known = with_known_at(news, self._answers_until(last), now=now)
            keep_actions(self._platform, known, fetch_id=self._asking.fetch_id, now=now)

    def _answers_until(self, last: date) -> pl.DataFrame:
        """Columns symbol, session, asked_at: what the vendor was asked that would tell actions."""
        answers = self._platform.ledger.read(
            vendors=[self._request.vendor],
            symbols=self._fetch.symbols,
            sessions=(self._platform.universe.first_session, last),
        )
        # An answer that broke off has told what it had until then.
        spoke = answers.filter(pl.col("outcome").is_in(SPOKE) | (pl.col("rows") > 0))
        vendor = self._request.vendor
        if telling_timeframes(self._platform, vendor):
            spoke = telling(self._platform, vendor, spoke)
        return spoke.select("symbol", "session", "asked_at")
