"""Corporate actions as they became known, every revision of every source.

What belongs here: keeping revisions, and telling which one stands at a time.
What does not: what an action does to prices (market_data/corporate_actions/adjustment.py).

Which one stands: for a symbol, ex_date and kind the one known last, whoever said it; known at the
same microsecond, that of the source first in the alphabet; within a source, the one recorded last.
A source that takes back what it said itself (market_data/corporate_actions/withdrawals.py) leaves
the word to the others; one that never said it says that there was none.
What a backfill brought that was rolled back counts as never said (scope_state.py).
Sources sometimes put one event on neighbouring days. A row is left out as an echo when the row
next to it, of another source, states the same value at most four days away and stands before it by
the same order; so that no split or dividend counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import among, checked, read_frame, write_frame
from adapters.operations.models import corporate_actions
from market_data.corporate_actions.conflicts import NEAR, rounding
from market_data.corporate_actions.withdrawals import BY_HAND, is_withdrawal
from market_data.errors import SchemaError
from market_data.ports.operations import STATED_ACTIONS
from market_data.schemas import CORPORATE_ACTIONS, UTC

_KEY = ("symbol", "ex_date", "kind", "source")
_ACTION = ["symbol", "kind", "ex_date"]


class SqlActionLog:
    """An `ActionLog` in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, frame: pl.DataFrame, *, now: datetime) -> int:
        """Keep rows of CORPORATE_ACTIONS that are new or differ.

        Of a symbol, ex_date and kind that its source never spoke of, every row is kept as it came,
        but for those that repeat the value of the row known before. Otherwise the row known last
        is what the source says now: it adds nothing where it repeats the newest value kept, and
        is known at `now` or later where it changes that value.

        Args:
            frame: what the sources state now.
            now: the time of the statement, aware.

        Returns:
            How many rows were kept.

        Raises:
            SchemaError: the frame is not of CORPORATE_ACTIONS, or a source states two values of
                one action at one time; two dividends of one day are stated as their sum.
        """
        rows = checked(frame, CORPORATE_ACTIONS)
        _refuse_contradictions(rows)
        if rows.is_empty():
            return 0
        symbols = rows["symbol"].unique().sort().to_list()
        with writing(self._engine, alone="corporate_actions") as connection:
            newest = _newest(self._read(connection, symbols))
            kept = pl.concat([_first_sights(rows, newest), _changes(rows, newest, now)])
            write_frame(connection, sa.insert(corporate_actions), kept)
            for (source,), stated in rows.group_by("source"):
                _note_statement(connection, str(source), stated["symbol"].unique().to_list(), now)
        return kept.height

    def read(
        self, *, symbols: Sequence[str] | None = None, known_at: datetime | None = None
    ) -> pl.DataFrame:
        """The rows of CORPORATE_ACTIONS that stand, sorted by (symbol, ex_date, kind).

        Args:
            symbols: only these; None for all.
            known_at: as it was known then (included), aware; None for what is known now.
        """
        with reading(self._engine) as connection:
            every = self._read(connection, symbols)
        if known_at is not None:
            every = every.filter(pl.col("known_at") <= known_at)
        said_last = _newest(every)
        standing = _standing(every, said_last)
        return _without_echoes(standing, said_last).sort("symbol", "ex_date", "kind")

    def statements(self, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """What every source says now, see the port."""
        with reading(self._engine) as connection:
            every = self._read(connection, symbols)
        return _newest(every).sort(_KEY)

    def history(self, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Every revision of every source, see the port."""
        with reading(self._engine) as connection:
            return self._read(connection, symbols, STATED_ACTIONS)

    def news(self, after: int) -> pl.DataFrame:
        """Symbols with rows above a number, see the port.

        Writers take turns, so that numbers become visible in their order.
        """
        table = corporate_actions.c
        newest = sa.func.max(table.id).label("number")
        query = (
            sa.select(table.symbol, newest)
            .where(table.id > after)
            .group_by(table.symbol)
            .order_by(newest)
        )
        with reading(self._engine) as connection:
            return read_frame(connection, query, {"symbol": pl.String(), "number": pl.Int64()})

    @staticmethod
    def _read(
        connection: Connection,
        symbols: Sequence[str] | None,
        columns: Mapping[str, pl.DataType] = CORPORATE_ACTIONS.dtypes,
    ) -> pl.DataFrame:
        table = corporate_actions.c
        query: sa.Select[Any] = (
            sa.select(*(table[name] for name in columns))
            .where(table.withdrawn_by.is_(None))
            .order_by(table.id)
        )
        if symbols is not None:
            query = query.where(among(table.symbol, symbols, connection))
        return read_frame(connection, query, columns)


def _note_statement(
    connection: Connection, source: str, symbols: Sequence[str], now: datetime
) -> None:
    """Write down that a source has spoken of symbols, also where it said nothing new."""
    table = corporate_actions.c
    earlier = sa.or_(table.stated_at.is_(None), table.stated_at < now)
    connection.execute(
        sa.update(corporate_actions)
        .where(table.source == source, among(table.symbol, symbols, connection), earlier)
        .values(stated_at=now)
    )


def _refuse_contradictions(rows: pl.DataFrame) -> None:
    contradicted = (
        rows.group_by(*_KEY, "known_at", maintain_order=True)
        .agg(pl.col("value").n_unique().alias("values"))
        .filter(pl.col("values") > 1)
    )
    if not contradicted.is_empty():
        first = contradicted.row(0, named=True)
        raise SchemaError(
            f"corporate actions: {first['source']} states several values for the {first['kind']} "
            f"of {first['symbol']} on {first['ex_date']}, as for {contradicted.height} in all"
        )


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Per key the row known last; known at the same time, the one that comes last."""
    return rows.sort("known_at", maintain_order=True).unique(_KEY, keep="last", maintain_order=True)


def _first_sights(rows: pl.DataFrame, newest: pl.DataFrame) -> pl.DataFrame:
    """The rows of keys that are new, in the order of knowledge, without those that say nothing."""
    return (
        rows.join(newest, on=_KEY, how="anti")
        .sort(*_KEY, "known_at")
        .filter(pl.col("value").ne_missing(pl.col("value").shift(1).over(*_KEY)))
    )


def _changes(rows: pl.DataFrame, newest: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """What the sources say now where it differs from what they said last.

    A person takes back anew what a source has told again since.
    """
    known = newest.select(*_KEY, old_value="value", old_known_at="known_at")
    learnt = pl.max_horizontal("known_at", "old_known_at", pl.lit(now, dtype=UTC))
    return (
        _newest(rows)
        .join(known, on=_KEY, maintain_order="left")
        .filter((pl.col("value") != pl.col("old_value")) | (pl.col("source") == BY_HAND))
        .with_columns(known_at=learnt)
        .select(CORPORATE_ACTIONS.names)
    )


def _standing(rows: pl.DataFrame, newest: pl.DataFrame) -> pl.DataFrame:
    """Per symbol, ex_date and kind the statement that stands; none where there was no action.

    Args:
        rows: every statement.
        newest: of these what every source says now.
    """
    said = rows.filter(~is_withdrawal()).select(_KEY).unique()
    taken_back = newest.filter(is_withdrawal()).join(said, on=_KEY, how="semi")
    return (
        newest.join(taken_back, on=_KEY, how="anti")
        .sort("known_at", "source", descending=[True, False])
        .unique(["symbol", "ex_date", "kind"], keep="first", maintain_order=True)
        .filter(~is_withdrawal())
    )


def _without_echoes(standing: pl.DataFrame, stated: pl.DataFrame) -> pl.DataFrame:
    """The rows less those that repeat a neighbour of another source.

    Where one source states both days, whoever else states them, there were two actions.

    Args:
        standing: what stands, one row per symbol, ex_date and kind.
        stated: what every source says now.
    """
    rows = standing.sort(*_ACTION)
    echoes = [_is_echo_of(step) & ~pl.col(f"apart{step}") for step in (1, -1)]
    return (
        rows.with_columns(
            _both_stated(rows, stated, step).alias(f"apart{step}") for step in (1, -1)
        )
        .filter(~(echoes[0] | echoes[1]))
        .select(standing.columns)
    )


def _neighbours(name: str, step: int) -> pl.Expr:
    return pl.col(name).shift(step).over("symbol", "kind")


def _like(value: str, other: pl.Expr) -> pl.Expr:
    return (other - pl.col(value)).abs() <= rounding() * pl.col(value).abs()


def _both_stated(rows: pl.DataFrame, stated: pl.DataFrame, step: int) -> pl.Series:
    """Of each row whether any one source states a like action on its neighbour's day as well."""
    said = stated.select("symbol", "kind", "ex_date", "source", said="value")
    pairs = rows.select(*_ACTION, "value", other=_neighbours("ex_date", step))
    both = (
        pairs.join(said, on=_ACTION)
        .filter(_like("value", pl.col("said")))
        .join(
            said.rename({"ex_date": "other", "said": "there"}),
            on=["symbol", "kind", "other", "source"],
        )
        .filter(_like("value", pl.col("there")))
        .select(*_ACTION, both=True)
        .unique()
    )
    return rows.join(both, on=_ACTION, how="left", maintain_order="left")["both"].fill_null(
        value=False
    )


def _is_echo_of(step: int) -> pl.Expr:
    known_at, source = _neighbours("known_at", step), _neighbours("source", step)
    same = (
        (source != pl.col("source"))
        & ((_neighbours("ex_date", step) - pl.col("ex_date")).abs() <= NEAR)
        & _like("value", _neighbours("value", step))
    )
    stands_before = (known_at > pl.col("known_at")) | (
        (known_at == pl.col("known_at")) & (source < pl.col("source"))
    )
    return (same & stands_before).fill_null(value=False)
