"""The ledger: what was asked of whom, and what came.

What belongs here: the rule by which two records of the same question become one, and reads.
What does not: what to ask for (the pipeline in market_data).

The rule, for two records of one (vendor, timeframe, symbol, session):
- an answer (rows, nothing, holiday, unavailable) goes before a refusal or failure, whenever each
  was asked;
- of two answers, one that says what came of the session (rows, nothing, holiday) goes before
  `unavailable`: that a vendor cannot serve a session any more does not undo what it served;
- of two that are alike in this, the one asked later stands; asked at the same microsecond, the
  greater fetch_id, and within one fetch the one recorded last;
- once an answer was final, the record stays final: it said that asking again brings nothing new.
It does not depend on the order of arrival, so that concurrent writers agree; but for records of a
time still to come, of which a writer that tells the time takes back that they came later and that
they are final: a clock was ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import checked, filters, read_frame, upsert_into, write_frame
from adapters.operations.models import ledger
from adapters.operations.outbox import SqlOutbox
from market_data.errors import SchemaError
from market_data.overtaking import CLOCKS_APART
from market_data.ports.events import Event
from market_data.ports.vendor import Outcome
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe

_KEY = ("timeframe", "symbol", "session", "vendor")
_SORT = ("vendor", "timeframe", "symbol", "session")
_RECORDED = [o for o in Outcome if o is not Outcome.NOT_ASKED]
_SPANS = {"symbol": pl.String(), "first": pl.Date(), "last": pl.Date()}
_STEP = timedelta(microseconds=1)
_PAIRS = {"symbol": pl.String(), "session": pl.Date()}


class SqlLedger:
    """A `Ledger` in the operations database.

    Args:
        engine: from `open_database`.
        outbox: where the events of its rows go; None where nobody listens.
    """

    def __init__(self, engine: Engine, outbox: SqlOutbox | None = None) -> None:
        self._engine = engine
        self._outbox = outbox

    def record(
        self, frame: pl.DataFrame, *, events: Sequence[Event] = (), now: datetime | None = None
    ) -> None:
        """Upsert rows of LEDGER in one transaction, by the rule of this module.

        Args:
            frame: rows of LEDGER.
            events: kept in the same transaction; dropped where no outbox was given.
            now: the time, where these questions were put just now.

        Raises:
            SchemaError: the frame is not of LEDGER, or an outcome is none that can be recorded
                (`not asked` is the absence of a row).
        """
        rows = checked(frame, LEDGER)
        unknown = rows.filter(~pl.col("outcome").is_in(_RECORDED))["outcome"].unique().sort()
        if not unknown.is_empty():
            raise SchemaError(f"ledger: no such outcome to record: {', '.join(unknown)}")
        told = events if self._outbox is not None else ()
        if rows.is_empty() and not told:
            return
        # In the order of the key: pages are filled one after another, and two writers of
        # PostgreSQL lock rows in one order.
        rows = rows.sort(_KEY, maintain_order=True)
        # PostgreSQL refuses a statement that meets a key twice: repetitions come one by one.
        rounds = rows.with_columns(round=pl.int_range(pl.len()).over(_KEY)).partition_by(
            "round", maintain_order=True, include_key=False
        )
        with writing(self._engine) as connection:
            if now is not None and not rows.is_empty():
                _bring_back(connection, rows, now)
            for part in rounds:
                write_frame(connection, _merge(connection), part)
            SqlOutbox.add(connection, told)

    def read(
        self,
        *,
        timeframe: Timeframe | None = None,
        vendors: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Rows of LEDGER, sorted by (vendor, timeframe, symbol, session).

        Args:
            timeframe: only this one; None for all, as everywhere here.
            vendors: only these.
            symbols: only these.
            sessions: first and last session, both included.
        """
        with reading(self._engine) as connection:
            query = sa.select(*(ledger.c[name] for name in LEDGER.names)).where(
                *filters(
                    ledger,
                    connection,
                    among_values={"vendor": vendors, "symbol": symbols},
                    timeframe=timeframe,
                    sessions=sessions,
                )
            )
            return read_frame(connection, query, LEDGER.dtypes).sort(_SORT)

    def failing(self) -> pl.DataFrame:
        """Rows of LEDGER whose outcome is `refused` or `failed`, sorted as by `read`."""
        query = sa.select(*(ledger.c[name] for name in LEDGER.names)).where(
            ledger.c.outcome.in_([str(Outcome.REFUSED), str(Outcome.FAILED)])
        )
        with reading(self._engine) as connection:
            return read_frame(connection, query, LEDGER.dtypes).sort(_SORT)

    def spans(self, *, timeframe: Timeframe, vendors: Sequence[str] | None = None) -> pl.DataFrame:
        """First and last session asked, whatever came: columns symbol, first, last, by symbol."""
        with reading(self._engine) as connection:
            query = (
                sa.select(
                    ledger.c.symbol, sa.func.min(ledger.c.session), sa.func.max(ledger.c.session)
                )
                .where(
                    *filters(
                        ledger, connection, among_values={"vendor": vendors}, timeframe=timeframe
                    )
                )
                .group_by(ledger.c.symbol)
                .order_by(ledger.c.symbol)
            )
            return read_frame(connection, query, _SPANS)

    def unavailable(
        self,
        *,
        timeframes: Sequence[Timeframe],
        vendors: Sequence[str],
        sessions: tuple[date, date],
    ) -> pl.DataFrame:
        """Symbol-sessions of which every record among these says `unavailable`.

        Args:
            timeframes: of the records.
            vendors: of the records.
            sessions: first and last session, both included.

        Returns:
            Columns symbol, session, sorted by both.
        """
        there = sa.case((ledger.c.outcome != str(Outcome.UNAVAILABLE), 1), else_=0)
        with reading(self._engine) as connection:
            query = (
                sa.select(ledger.c.symbol, ledger.c.session)
                .where(
                    *filters(
                        ledger,
                        connection,
                        among_values={
                            "timeframe": [str(t) for t in timeframes],
                            "vendor": vendors,
                        },
                        sessions=sessions,
                    )
                )
                .group_by(ledger.c.symbol, ledger.c.session)
                .having(sa.func.sum(there) == 0)
                .order_by(ledger.c.symbol, ledger.c.session)
            )
            return read_frame(connection, query, _PAIRS)


def _bring_back(connection: Connection, rows: pl.DataFrame, now: datetime) -> None:
    """Put records of a time still to come before the rows that are about to be recorded.

    Only within the vendors, timeframes, symbols and sessions of the rows. Whatever else lies
    between them is asked for again by whoever wants it: it is no longer final either.
    """
    session, asked_at = pl.col("session"), pl.col("asked_at").min()
    first, last, asked = rows.select(session.min(), session.max().alias("last"), asked_at).row(0)
    for (timeframe,), part in rows.group_by("timeframe"):
        among_values = {c: part[c].unique().sort().to_list() for c in ("vendor", "symbol")}
        connection.execute(
            sa.update(ledger)
            .where(
                *filters(
                    ledger,
                    connection,
                    among_values=among_values,
                    timeframe=timeframe,
                    sessions=(first, last),
                ),
                ledger.c.asked_at > now + CLOCKS_APART,
            )
            .values(asked_at=asked - _STEP, final=False)
        )


def _is_answer(outcome: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    # Literals rather than parameters: the statement's only parameters are the row's columns.
    # Comparisons rather than IN: SQLite would build a list for each IN and each row, which makes
    # recording ten times slower.
    troubles = [o for o in _RECORDED if not o.is_answer]
    return sa.and_(*(outcome != sa.literal_column(f"'{o.value}'") for o in troubles))


def _is_unavailable(outcome: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return outcome == sa.literal_column(f"'{Outcome.UNAVAILABLE.value}'")


def _merge(connection: Connection) -> Any:
    """The upsert that carries out the rule; its parameters are the columns of LEDGER."""
    insert = upsert_into(ledger, connection)
    new, old = insert.excluded, ledger.c
    newer = sa.or_(
        new.asked_at > old.asked_at,
        sa.and_(new.asked_at == old.asked_at, new.fetch_id >= old.fetch_id),
    )
    new_answers, old_answers = _is_answer(new.outcome), _is_answer(old.outcome)
    both_answer = sa.and_(new_answers, old_answers)
    new_absent, old_absent = _is_unavailable(new.outcome), _is_unavailable(old.outcome)
    replaces = sa.or_(
        sa.and_(new_answers, sa.not_(old_answers)),
        sa.and_(both_answer, sa.not_(new_absent), sa.or_(old_absent, newer)),
        sa.and_(new_absent, old_absent, newer),
        sa.and_(sa.not_(new_answers), sa.not_(old_answers), newer),
    )
    values = {
        name: sa.case((replaces, new[name]), else_=old[name])
        for name in LEDGER.names
        if name not in (*_KEY, "final")
    }
    values["final"] = sa.case((both_answer, sa.or_(new.final, old.final)), else_=new.final)
    finalises = sa.and_(both_answer, new.final, sa.not_(old.final))
    return insert.on_conflict_do_update(
        index_elements=[ledger.c[name] for name in _KEY],
        set_=values,
        where=sa.or_(replaces, finalises),
    )
