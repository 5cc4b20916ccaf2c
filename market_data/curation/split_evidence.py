"""Whether anybody could have told the splits that a vendor's prices are divided by.

What belongs here: bars of which nobody has said whether their symbol split. What does not: undoing
splits that are known (undone_splits.py), what follows from not knowing (candidates.py).

Without a split on record, prices that are adjusted for splits look like prices as traded. They are
that only where somebody who would have told a split has been asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.calendars import trading_sessions
from market_data.corporate_actions.as_paid import OF_FILE
from market_data.corporate_actions.withdrawals import BY_HAND
from market_data.ports.operations import STATED_ACTIONS

_LONGEST_CLOSURE = timedelta(days=21)
"""No exchange was closed for longer; two sessions lie within it."""


@dataclass(frozen=True)
class SplitsTold:
    """Who tells splits, and of what they were asked.

    Attributes:
        tellers: vendors with answers that tell every split since the first bar that they hold:
            prices of theirs that are divided by splits need no other evidence.
        answers: columns symbol, session and asked_at (UTC): those answers.
        statements: rows of STATED_ACTIONS, every revision of every source in the order in which
            they were recorded. A vendor's own are named after it.
        vendors: those whose answers may tell actions; what other sources state was brought by a
            person.
    """

    tellers: Collection[str]
    answers: pl.DataFrame
    statements: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STATED_ACTIONS))
    vendors: Collection[str] = ()

    def said_by(self, vendor: str) -> pl.DataFrame:
        """What a vendor has stated itself, in the order of recording."""
        return self.statements.filter(pl.col("source") == vendor)

    def people(self) -> pl.DataFrame:
        """Columns symbol, _stated: when (UTC) a person last brought a symbol's actions."""
        named = {*self.tellers, *self.vendors, BY_HAND}
        return (
            self.statements.filter(
                ~pl.col("source").is_in(list(named)), ~pl.col("source").str.ends_with(OF_FILE)
            )
            .group_by("symbol")
            .agg(_stated=pl.coalesce("stated_at", "known_at").max())
        )


def untold(
    rows: pl.DataFrame,
    actions: pl.DataFrame,
    told: SplitsTold,
    *,
    calendar: str,
    since: pl.DataFrame | None = None,
    now: datetime,
) -> pl.Series | None:
    """Split-adjusted bars of symbols of whose splits nobody has told.

    Somebody has where the bar's vendor tells splits itself, or where one that does was asked about
    the bar's session or an earlier one after the last split that may be in the price had begun to
    trade; or where the bar's file told splits until then; or where a person has brought the
    symbol's actions since then, who answers for there being no others until that moment. A split
    begins to trade, and is told, with the opening of a session: who was asked before the last one
    until the fetch, were it on the same day, can not have told. The bar's own session does not
    count: no price of it is divided by a split of its day. That some vendor once told one is no
    evidence of there being no other. Minutes of a session share a fate: a bar made of them is one
    or the other.

    Args:
        rows: bars of one vendor: vendor, symbol, session, fetched_at (UTC), basis.
        actions: rows of CORPORATE_ACTIONS that were known.
        told: the evidence.
        calendar: of the symbols; its sessions say when a split begins to trade.
        since: rows of CORPORATE_ACTIONS known later; a split among them that had come by `now`
            was not known, whoever was asked since.
        now: the time that `actions` were known at.

    Returns:
        True at such rows; None where there is none.
    """
    if rows.is_empty() or rows.get_column("vendor").first() in told.tellers:
        return None
    days = {t: b.adjusted_on for t, b in bases_of(rows, Adjustment.SPLITS).items()}
    doubtful = pl.col("basis").is_in(list(days))
    numbered = rows.select("symbol", "session", "fetched_at", "basis").with_row_index("_place")
    few = numbered.filter(doubtful)
    if few.is_empty():
        return None
    needed = _needed(few, days, calendar)
    evidence = (
        _asked(needed, told.answers)
        .join(told.people(), on="symbol", how="left")
        .join(_told_with(few), on=["symbol", "session"], how="left")
    )
    unheard = (pl.max_horizontal("_asked", "_stated") < pl.col("_needed")).fill_null(value=True)
    unsaid = (pl.col("_told_until") < pl.col("_day")).fill_null(value=True)
    unknown = evidence.filter(
        (unheard & unsaid) | pl.col("symbol").is_in(_came_to_light(since, actions, now))
    )
    places = few.join(unknown, on=["symbol", "session"], how="semi").get_column("_place")
    if places.is_empty():
        return None
    return pl.repeat(value=False, n=rows.height, eager=True).scatter(places, True)


def _needed(rows: pl.DataFrame, days: Mapping[str, date | None], calendar: str) -> pl.DataFrame:
    """Columns symbol, session, _needed: since when (UTC) somebody has to have spoken, and its _day.

    That is the last opening of another session than the bar's until the fetch and, of prices of a
    stated day, until the end of that day.
    """
    stated = pl.col("basis").replace_strict(days, return_dtype=pl.Date)
    keys = rows.select("symbol", "session", "fetched_at", _stated=stated).unique()
    until = pl.min_horizontal("_stated", pl.col("fetched_at").dt.date())
    first, last = keys.select(first=until.min(), last=until.max()).row(0)
    opens = trading_sessions(
        # The day of an exchange far to the east begins before that of UTC.
        calendar,
        first - _LONGEST_CLOSURE,
        last + timedelta(days=1),
    ).select(
        "open",
        _opened="session",
        _before=pl.col("open").shift(),
        _day_before=pl.col("session").shift(),
    )
    last_of_day = opens.select(_last_open="open", _opened="_opened")
    found = (
        keys.sort("_stated")
        .join_asof(last_of_day, left_on="_stated", right_on="_opened")
        .with_columns(_until=pl.min_horizontal("_last_open", "fetched_at"))
        .drop("_opened", strict=False)
        .sort("_until")
        .join_asof(opens, left_on="_until", right_on="open", coalesce=False)
    )
    own = pl.col("_opened") == pl.col("session")
    needed = pl.when(own).then("_before").otherwise("open")
    day = pl.when(own).then("_day_before").otherwise("_opened")
    return found.group_by("symbol", "session").agg(_needed=needed.max(), _day=day.max())


def _told_with(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, session, _told_until: until when all of a session's files told splits."""
    days = {text: basis.told_until for text, basis in bases_of(rows).items()}
    told = pl.col("basis").replace_strict(days, return_dtype=pl.Date)
    return rows.group_by("symbol", "session").agg(
        _told_until=pl.when(told.is_not_null().all()).then(told.min())
    )


def _asked(needed: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Adds `_asked`, when somebody was last asked about a session or an earlier one."""
    asked = (
        answers.sort("symbol", "session")
        .select("symbol", "session", _asked=pl.col("asked_at").cum_max().over("symbol"))
        .sort("session")
    )
    return needed.sort("session").join_asof(
        asked, on="session", by="symbol", check_sortedness=False
    )


def _came_to_light(since: pl.DataFrame | None, actions: pl.DataFrame, now: datetime) -> list[str]:
    if since is None:
        return []
    splits = since.filter(pl.col("kind") == "split", pl.col("ex_date") <= now.date()).join(
        actions, on=["symbol", "ex_date", "kind"], how="anti"
    )
    return splits.get_column("symbol").unique().to_list()
