"""Shapes of vendors' answers in the operations database.

What belongs here: the port of market_data/ports/shapes.py on SQLAlchemy. What does not: what a
shape is and which differences are news (market_data/answer_shapes.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import among, upsert_into
from adapters.operations.shape_models import answer_shapes, shape_changes
from market_data.answer_shapes import Shape, ShapeChange, ToldChange, as_json, from_json
from market_data.ports.shapes import CHANGES
from market_data.timeframes import Timeframe


class SqlAnswerShapes:
    """The `AnswerShapes` port in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(
        self, vendor: str, timeframe: Timeframe, symbols: Sequence[str]
    ) -> Mapping[str, Shape]:
        """The shapes of the last good answers about some symbols; those without one left out."""
        table = answer_shapes.c
        with reading(self._engine) as connection:
            query = sa.select(table.symbol, table.shape).where(
                table.vendor == vendor,
                table.timeframe == str(timeframe),
                among(table.symbol, symbols, connection),
            )
            return {symbol: from_json(text) for symbol, text in connection.execute(query)}

    def told(
        self, vendor: str, timeframe: Timeframe, *, only_open: bool = False
    ) -> list[ToldChange]:
        """Changes of a vendor's answers that were told, oldest first."""
        table = shape_changes.c
        query = (
            sa.select(shape_changes)
            .where(table.vendor == vendor, table.timeframe == str(timeframe))
            .order_by(table.id)
        )
        if only_open:
            query = query.where(table.mended_at.is_(None))
        with reading(self._engine) as connection:
            return [
                ToldChange(row.id, row.symbol, _change(row), row.mended_at is None)
                for row in connection.execute(query)
            ]

    def learn(
        self,
        vendor: str,
        timeframe: Timeframe,
        *,
        shapes: Mapping[str, Shape],
        changes: Sequence[tuple[str, date, ShapeChange]] = (),
        mended: Sequence[int] = (),
        fetch_id: str,
        now: datetime,
    ) -> None:
        """Keep all that one question showed, or nothing of it."""
        place = {
            "vendor": vendor,
            "timeframe": str(timeframe),
            "fetch_id": fetch_id,
            "seen_at": now,
        }
        with writing(self._engine) as connection:
            if shapes:
                _keep(
                    connection,
                    [{**place, "symbol": s, "shape": as_json(f)} for s, f in shapes.items()],
                )
            if changes:
                connection.execute(
                    sa.insert(shape_changes),
                    [{**place, "symbol": s, "session": d, **_row(c)} for s, d, c in changes],
                )
            if mended:
                connection.execute(
                    sa.update(shape_changes)
                    .where(shape_changes.c.id.in_(mended))
                    .values(mended_at=now)
                )

    def changes(
        self, vendor: str, timeframe: Timeframe, sessions: tuple[date, date]
    ) -> pl.DataFrame:
        """Rows of CHANGES of a range of sessions that are not over, sorted by (session, path)."""
        table = shape_changes.c
        query = (
            sa.select(shape_changes)
            .where(
                table.vendor == vendor,
                table.timeframe == str(timeframe),
                table.session.between(*sessions),
                table.mended_at.is_(None),
            )
            .order_by(table.session, table.path, table.id)
        )
        with reading(self._engine) as connection:
            rows = [(row, _change(row)) for row in connection.execute(query)]
        return pl.DataFrame(
            [(r.symbol, r.session, c.path, c.change, c.read, c.told, r.fetch_id) for r, c in rows],
            schema=CHANGES,
            orient="row",
        )


def _keep(connection: Connection, rows: list[dict[str, object]]) -> None:
    statement = upsert_into(answer_shapes, connection)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[answer_shapes.c.vendor, answer_shapes.c.timeframe, "symbol"],
            set_={"shape": new.shape, "seen_at": new.seen_at, "fetch_id": new.fetch_id},
        ),
        rows,
    )


def _row(change: ShapeChange) -> dict[str, object]:
    return {
        "path": change.path,
        "change": change.change,
        "was": change.was,
        "now": change.now,
        "is_read": change.read,
    }


def _change(row: sa.Row[tuple[object, ...]]) -> ShapeChange:
    return ShapeChange(row.path, row.change, row.was, row.now, row.is_read)
