"""The quarantine: every rejected row, once.

What belongs here: keeping, listing and counting rejected rows.
What does not: why a row is rejected (market_data/validation).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import among, checked, filters, read_frame, write_frame
from adapters.operations.models import quarantine
from market_data.ports.operations import Refused
from market_data.schemas import QUARANTINE, REFUSED_ROWS, UTC
from market_data.timeframes import Timeframe

_OPEN = "open"
_RESOLVED = "resolved"
_REPLAYED = "replayed"
_DECIDED_FROM = {"dropped": (_OPEN,), _REPLAYED: (_OPEN, _RESOLVED)}
"""A decision, and the statuses of the rows that it is about."""
_ID = {"row_id": pl.String()}
_COUNTS = {
    "vendor": pl.String(),
    "symbol": pl.String(),
    "session": pl.Date(),
    "stage": pl.String(),
    "reasons": pl.String(),
    "rows": pl.Int64(),
}
_REASONS = {
    "vendor": pl.String(),
    "timeframe": pl.String(),
    "stage": pl.String(),
    "status": pl.String(),
    "reasons": pl.String(),
    "rows": pl.Int64(),
}


class SqlQuarantineLog:
    """A `QuarantineLog` in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, frame: pl.DataFrame) -> int:
        """Keep rows of QUARANTINE that are not there yet.

        A row that is known keeps what was first said of it; a resolved one is open again.

        Returns:
            How many were new; exact also when several processes add the same rows at once.

        Raises:
            SchemaError: the frame is not of QUARANTINE.
        """
        rows = checked(frame, QUARANTINE).unique("row_id", keep="first").sort("row_id")
        if rows.is_empty():
            return 0
        with writing(self._engine, alone="quarantine") as connection:
            new = _add(connection, rows)
            _reopen(connection, rows)
        return new

    def supersede(self, bars: pl.DataFrame, *, vendor: str, timeframe: Timeframe) -> int:
        """Close what earlier fetches refused of bars that came whole; returns how many rows."""
        if bars.is_empty():
            return 0
        sessions = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
        table = quarantine.c
        with writing(self._engine, alone="quarantine") as connection:
            refused = read_frame(
                connection,
                sa.select(table.row_id, table.symbol, table.ts, table.session).where(
                    *filters(
                        quarantine,
                        connection,
                        among_values={
                            "vendor": [vendor],
                            "symbol": bars.get_column("symbol").unique().to_list(),
                        },
                        timeframe=timeframe,
                        sessions=sessions,
                    ),
                    table.stage == "fetch",
                    table.status == _OPEN,
                ),
                _ID | {"symbol": pl.String(), "ts": UTC, "session": pl.Date()},
            )
            # A daily bar that was refused was never given its session's opening as start.
            key = ["symbol", "ts" if timeframe.is_intraday else "session"]
            whole = refused.join(bars, on=key, how="semi")["row_id"].to_list()
            close = sa.update(quarantine).where(among(table.row_id, whole, connection))
            connection.execute(close.values(status=_RESOLVED))
        return len(whole)

    def settle(
        self,
        frame: pl.DataFrame,
        *,
        timeframe: Timeframe,
        symbols: Sequence[str],
        sessions: tuple[date, date],
    ) -> int:
        """Keep what curating a slice refused, and close what it no longer refuses.

        Raises:
            SchemaError: the frame is not of QUARANTINE.
        """
        rows = checked(frame, QUARANTINE).unique("row_id", keep="first").sort("row_id")
        table = quarantine.c
        with writing(self._engine, alone="quarantine") as connection:
            new = _add(connection, rows)
            refused = among(table.row_id, rows["row_id"].to_list(), connection)
            slice_ = filters(
                quarantine,
                connection,
                among_values={"symbol": symbols},
                timeframe=timeframe,
                sessions=sessions,
            )
            close = sa.update(quarantine).where(
                *slice_, table.stage == "curate", table.status == _OPEN, sa.not_(refused)
            )
            connection.execute(close.values(status=_RESOLVED))
            _reopen(connection, rows)
        return new

    def read(
        self,
        *,
        vendors: Sequence[str] | None = None,
        timeframe: Timeframe | None = None,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Rows of QUARANTINE sorted by (symbol, session, ts), rows without a time first.

        Args:
            vendors: only these; None for all, as everywhere here.
            timeframe: only this one.
            symbols: only these.
            sessions: first and last session, both included; leaves out rows without a session.
            limit: at most so many, the first ones of that order.
        """
        table = quarantine.c
        with reading(self._engine) as connection:
            query = (
                sa.select(*(table[name] for name in QUARANTINE.names))
                .where(
                    *filters(
                        quarantine,
                        connection,
                        among_values={"vendor": vendors, "symbol": symbols},
                        timeframe=timeframe,
                        sessions=sessions,
                    )
                )
                .order_by(
                    table.symbol,
                    table.session.asc().nulls_first(),
                    table.ts.asc().nulls_first(),
                    table.row_id,
                )
                .limit(limit)
            )
            return read_frame(connection, query, QUARANTINE.dtypes)

    def counts(
        self,
        *,
        timeframe: Timeframe,
        sessions: tuple[date, date],
        vendors: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Open rows per vendor, symbol, session, stage and reasons: those columns and rows.

        Rows whose session could not be told are in none of the sessions. Sorted by the columns.
        """
        groups = [quarantine.c[name] for name in _COUNTS if name != "rows"]
        with reading(self._engine) as connection:
            query = (
                sa.select(*groups, sa.func.count())
                .where(
                    quarantine.c.status == _OPEN,
                    *filters(
                        quarantine,
                        connection,
                        among_values={"vendor": vendors},
                        timeframe=timeframe,
                        sessions=sessions,
                    ),
                )
                .group_by(*groups)
                .order_by(*groups)
            )
            return read_frame(connection, query, _COUNTS)

    def entries(self, wanted: Refused, *, limit: int | None = None) -> pl.DataFrame:
        """Rows of REFUSED_ROWS sorted by (symbol, session, ts), rows without a time first."""
        table = quarantine.c
        order = (table.session.asc().nulls_first(), table.ts.asc().nulls_first(), table.row_id)
        with reading(self._engine) as connection:
            query = (
                sa.select(*(table[name] for name in REFUSED_ROWS.names))
                .where(*_conditions(wanted, connection))
                .order_by(table.symbol, *order)
                .limit(limit)
            )
            return read_frame(connection, query, REFUSED_ROWS.dtypes)

    def named(self, beginning: str) -> list[str]:
        """The ids of at most two rows that begin so, whatever their status."""
        table = quarantine.c
        query = sa.select(table.row_id).where(table.row_id.startswith(beginning, autoescape=True))
        with reading(self._engine) as connection:
            return list(connection.scalars(query.order_by(table.row_id).limit(2)))

    def reasons(self, wanted: Refused) -> pl.DataFrame:
        """Rows per vendor, timeframe, stage, status and reasons, most rows first."""
        groups = [quarantine.c[name] for name in _REASONS if name != "rows"]
        with reading(self._engine) as connection:
            query = (
                sa.select(*groups, sa.func.count())
                .where(*_conditions(wanted, connection))
                .group_by(*groups)
                .order_by(sa.func.count().desc(), *groups)
            )
            return read_frame(connection, query, _REASONS)

    def decide(
        self, row_ids: Sequence[str], status: str, *, at: datetime, by: str, reason: str
    ) -> int:
        """Write down a decision, see the port."""
        chosen = quarantine.c.status.in_(_DECIDED_FROM[status])
        with writing(self._engine, alone="quarantine") as connection:
            rows = among(quarantine.c.row_id, row_ids, connection)
            count = connection.execute(
                sa.select(sa.func.count()).select_from(quarantine).where(rows, chosen)
            ).scalar_one()
            decided = sa.update(quarantine).where(rows, chosen)
            connection.execute(
                decided.values(status=status, decided_at=at, decided_by=by, decision=reason)
            )
        return int(count)


def _conditions(wanted: Refused, connection: sa.Connection) -> list[sa.ColumnElement[bool]]:
    conditions = filters(
        quarantine,
        connection,
        among_values={
            "row_id": wanted.row_ids,
            "vendor": wanted.vendors,
            "symbol": wanted.symbols,
            "stage": wanted.stages,
            "status": wanted.statuses,
        },
        timeframe=wanted.timeframe,
        sessions=wanted.sessions,
    )
    if wanted.reasons is not None:
        listed = sa.literal(",") + quarantine.c.reasons + sa.literal(",")
        conditions.append(
            sa.or_(*(listed.contains(f",{r},", autoescape=True) for r in wanted.reasons))
        )
    return conditions


def _add(connection: sa.Connection, rows: pl.DataFrame) -> int:
    """Insert the rows whose id is not there yet; returns how many."""
    if rows.is_empty():
        return 0
    known = read_frame(
        connection,
        sa.select(quarantine.c.row_id).where(
            among(quarantine.c.row_id, rows["row_id"].to_list(), connection)
        ),
        _ID,
    )
    new = rows.join(known, on="row_id", how="anti", maintain_order="left")
    write_frame(connection, sa.insert(quarantine), new)
    return new.height


def _reopen(connection: sa.Connection, rows: pl.DataFrame) -> None:
    """Rows that are refused again are open, whatever was said since."""
    refused = among(quarantine.c.row_id, rows["row_id"].to_list(), connection)
    settled = quarantine.c.status.in_((_RESOLVED, _REPLAYED))
    again = sa.update(quarantine).where(refused, settled)
    connection.execute(again.values(status=_OPEN, decided_at=None, decided_by=None, decision=None))
