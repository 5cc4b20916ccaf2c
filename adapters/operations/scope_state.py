"""What the operations database says of a scope: ledger and quarantine, kept and put back.

What belongs here: reading both for the questions of a backfill, and making them what they were, in
one transaction. What does not: what a scope is (market_data/backfill/scope.py), the ordinary ways
into these tables (ledger.py, quarantine.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import among, filters, read_frame, write_frame
from adapters.operations.models import ledger, quarantine
from market_data.backfill.scope import Asked, Scope
from market_data.schemas import LEDGER, UTC
from market_data.timeframes import Timeframe

_OPEN, _RESOLVED = "open", "resolved"
_DECISIONS = {
    "row_id": pl.String(),
    "status": pl.String(),
    "decided_at": UTC,
    "decided_by": pl.String(),
    "decision": pl.String(),
}
_KEY = ["timeframe", "symbol", "session", "vendor"]
_SCHEMA = pl.Schema(LEDGER.dtypes)


@dataclass(frozen=True)
class ScopeState:
    """What the database said.

    Attributes:
        ledger: rows of LEDGER.
        quarantine: row_id, status, decided_at, decided_by, decision of every rejected row.
    """

    ledger: pl.DataFrame
    quarantine: pl.DataFrame


class SqlScopeStates:
    """Keeps and puts back what the database says of scopes.

    Args:
        engine: from `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, scope: Scope) -> ScopeState:
        """What the database says of a scope, of one moment."""
        with reading(self._engine) as connection:
            known = [_ledger(connection, asked) for asked in scope.asked]
            rejected = [_rejected(connection, *one) for one in _curated(scope)]
        return ScopeState(
            pl.concat([pl.DataFrame(schema=_SCHEMA), *known]).unique(_KEY).sort(_KEY),
            pl.concat([pl.DataFrame(schema=_DECISIONS), *rejected]).unique("row_id").sort("row_id"),
        )

    def put_back(
        self, scope: Scope, was: ScopeState, fetches: Sequence[str], since: datetime
    ) -> None:
        """Make the database say what it said, in one transaction.

        Every answer of the ledger within the scope is what it was. Rejected rows that were there
        have the status that they had; of the others, those of some fetches and those of curating
        are resolved. What a person has decided since stays.

        Args:
            scope: of a backfill.
            was: what `read` told of it.
            fetches: whose rejected rows are no longer refused.
            since: when that was.
        """
        with writing(self._engine, alone="quarantine") as connection:
            for asked in scope.asked:
                connection.execute(
                    sa.delete(ledger).where(
                        *_within(connection, asked.timeframe, asked.symbols, asked.sessions),
                        ledger.c.vendor == asked.vendor,
                    )
                )
            write_frame(connection, sa.insert(ledger), was.ledger.select(LEDGER.names))
            now = pl.concat(
                [
                    pl.DataFrame(schema=_DECISIONS),
                    *(_rejected(connection, *one) for one in _curated(scope)),
                ]
            ).unique("row_id")
            undecided = pl.col("decided_at").is_null() | (pl.col("decided_at") <= since)
            differs = now.filter(undecided).join(
                was.quarantine, on=list(_DECISIONS), how="anti", nulls_equal=True
            )
            former = was.quarantine.join(differs, on="row_id", how="semi")
            _set(connection, former)
            new = differs.join(former, on="row_id", how="anti")["row_id"].to_list()
            _resolve(connection, new, fetches)


def _curated(scope: Scope) -> list[tuple[Timeframe, tuple[str, ...], tuple[date, date]]]:
    """Timeframes, symbols and sessions whose rejected rows a backfill may have changed."""
    found = {(asked.timeframe, asked.symbols, asked.sessions): None for asked in scope.asked}
    for stored in scope.stored:
        if stored.timeframe is not None:
            found[(stored.timeframe, stored.symbols, stored.sessions)] = None
    return list(found)


def _within(
    connection: Connection,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    table: sa.Table = ledger,
) -> list[sa.ColumnElement[bool]]:
    return filters(
        table,
        connection,
        among_values={"symbol": symbols},
        timeframe=timeframe,
        sessions=sessions,
    )


def _ledger(connection: Connection, asked: Asked) -> pl.DataFrame:
    query = sa.select(*(ledger.c[name] for name in LEDGER.names)).where(
        *_within(connection, asked.timeframe, asked.symbols, asked.sessions),
        ledger.c.vendor == asked.vendor,
    )
    return read_frame(connection, query, LEDGER.dtypes)


def _rejected(
    connection: Connection,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: tuple[date, date],
) -> pl.DataFrame:
    query = sa.select(*(quarantine.c[name] for name in _DECISIONS)).where(
        *_within(connection, timeframe, symbols, sessions, quarantine)
    )
    return read_frame(connection, query, _DECISIONS)


def _set(connection: Connection, rows: pl.DataFrame) -> None:
    """Give rejected rows a status and a decision."""
    if rows.is_empty():
        return
    names = [name for name in _DECISIONS if name != "row_id"]
    connection.execute(
        sa.update(quarantine)
        .where(quarantine.c.row_id == sa.bindparam("b_row_id"))
        .values({name: sa.bindparam(f"b_{name}") for name in names}),
        [{f"b_{name}": value for name, value in row.items()} for row in rows.to_dicts()],
    )


def _resolve(connection: Connection, row_ids: Sequence[str], fetches: Sequence[str]) -> None:
    table = quarantine.c
    withdrawn = among(table.fetch_id, list(fetches), connection)
    mine = among(table.row_id, list(row_ids), connection)
    connection.execute(
        sa.update(quarantine)
        .where(
            table.status == _OPEN,
            sa.or_(withdrawn, sa.and_(mine, table.stage == "curate")),
        )
        .values(status=_RESOLVED)
    )
