"""What the operations database says of a scope: ledger, quarantine and actions, kept and put back.

What belongs here: reading them for the questions of a backfill, and making them what they were, the
first two in one transaction; withdrawing corporate actions. What does not: what a scope is
(market_data/backfill/scope.py), the ordinary ways into these tables (ledger.py, quarantine.py,
actions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.automation_models import backfills
from adapters.operations.database import reading, writing
from adapters.operations.frames import among, filters, read_frame, write_frame
from adapters.operations.models import corporate_actions, ledger, quarantine
from market_data.backfill.plan_json import plan_from_json
from market_data.backfill.records import BackfillState
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
_LEARNED = {
    "id": pl.Int64(),
    "source": pl.String(),
    "symbol": pl.String(),
    "ex_date": pl.Date(),
    "kind": pl.String(),
}
_PAGE = 500
_KEY = ["timeframe", "symbol", "session", "vendor"]
_SCHEMA = pl.Schema(LEDGER.dtypes)


@dataclass(frozen=True)
class ScopeState:
    """What the database said.

    Attributes:
        ledger: rows of LEDGER.
        quarantine: row_id, status, decided_at, decided_by, decision of every rejected row.
        actions: number of the newest corporate action of anybody; None where nobody kept it.
    """

    ledger: pl.DataFrame
    quarantine: pl.DataFrame
    actions: int | None = None


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
            newest = connection.execute(sa.select(sa.func.max(corporate_actions.c.id))).scalar()
        return ScopeState(
            pl.concat([pl.DataFrame(schema=_SCHEMA), *known]).unique(_KEY).sort(_KEY),
            pl.concat([pl.DataFrame(schema=_DECISIONS), *rejected]).unique("row_id").sort("row_id"),
            newest or 0,
        )

    def snapshots_in_use(self) -> set[str]:
        """Names of the snapshots of backfills whose rollback, or taking it back, has begun."""
        table = backfills.c
        begun = sa.select(table.plan).where(table.state == str(BackfillState.ROLLING_BACK))
        with reading(self._engine) as connection:
            plans = connection.execute(begun).scalars().all()
        return {plan_from_json(plan).snapshot for plan in plans}

    def learned(self, scope: Scope, after: int) -> pl.DataFrame:
        """Corporate actions that came after a number from those who were asked, of what was asked.

        Returns:
            Columns id, source, symbol, ex_date, kind, sorted by id; those that are withdrawn are
            left out.
        """
        table, found = corporate_actions.c, [pl.DataFrame(schema=_LEARNED)]
        symbols: dict[str, set[str]] = {}
        for asked in scope.asked:
            symbols.setdefault(asked.vendor, set()).update(asked.symbols)
        with reading(self._engine) as connection:
            for vendor, names in symbols.items():
                query = sa.select(*(table[name] for name in _LEARNED)).where(
                    table.id > after,
                    table.source == vendor,
                    table.withdrawn_by.is_(None),
                    among(table.symbol, sorted(names), connection),
                )
                found.append(read_frame(connection, query, _LEARNED))
        return pl.concat(found).sort("id")

    def withdraw_actions(self, backfill: str, numbers: Sequence[int]) -> None:
        """No read tells these corporate actions any more; the same again changes nothing."""
        with writing(self._engine, alone="corporate_actions") as connection:
            for start in range(0, len(numbers), _PAGE):
                connection.execute(
                    sa.update(corporate_actions)
                    .where(corporate_actions.c.id.in_(numbers[start : start + _PAGE]))
                    .values(withdrawn_by=backfill)
                )

    def reinstate_actions(self, backfill: str) -> None:
        """What was withdrawn for a backfill is told again."""
        with writing(self._engine, alone="corporate_actions") as connection:
            connection.execute(
                sa.update(corporate_actions)
                .where(corporate_actions.c.withdrawn_by == backfill)
                .values(withdrawn_by=None)
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
