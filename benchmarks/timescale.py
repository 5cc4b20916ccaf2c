"""TimescaleDB: a month of fifty symbols in, a symbol's year out, against the server's own limits.

Needs a server: TIMESCALEDB_URL; works in a database of its own, which it drops at the end. Writes
are compared with a bare binary COPY of the same rows, encoded beforehand, into a second hypertable
of the same columns, chunks and index; every round brings rows of new symbols, so that both tables
grow alike. Run with `python -m benchmarks timescale`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, registry

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from benchmarks.delta_store import BARS, MINUTES, SYMBOLS, bars
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from tests.support.servers import new_database

VARIABLE = "TIMESCALEDB_URL"
PER_SYMBOL = 8_000
PIECE = 262_144
ROUNDS = 9
SINGLE_ROWS = 2_000
COMMITTED_ROWS = 500
YEAR_SYMBOLS = [f"Y{number:03d}" for number in range(8)]
READ_ROUNDS = 15
TABLE = sql.Identifier("curated", "bars_1m")
COLUMNS = sql.SQL(", ").join(map(sql.Identifier, MINUTES.schema.names))
Server = psycopg.Connection[Any]


@contextmanager
def own_store() -> Iterator[tuple[Connections, Server]]:
    """The platform's connections to a new database with its tables, and one beside them."""
    with new_database(os.environ[VARIABLE], extension="timescaledb") as url:
        settings = TimescaleSettings(url=url)
        connections = open_connections(settings)
        try:
            with psycopg.connect(settings.conninfo(), autocommit=True) as server:
                # What the platform's own connections set.
                server.execute("set jit = off; set random_page_cost = 1.1")
                yield connections, server
        finally:
            connections.close()


def replace(store: TimescaleStore, rows: pl.DataFrame) -> None:
    """Rows as the slice of their sessions and symbols."""
    first, last = rows["session"].min(), rows["session"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    symbols = rows["symbol"].unique(maintain_order=True).to_list()
    store.replace(MINUTES, rows, sessions=(first, last), symbols=symbols)


def make_twin(server: Server) -> None:
    """An empty hypertable like the store's own."""
    server.execute("create table public.twin (like curated.bars_1m)")
    server.execute(
        "select create_hypertable('public.twin', by_range('ts', interval '7 days'), "
        "create_default_indexes => false)"
    )
    server.execute("create unique index twin_key on public.twin (symbol, ts)")


def encoded(server: Server, prefix: str) -> list[bytes]:
    """The store's first rows under other symbols, as a binary COPY carries them, in pieces."""
    others = sql.SQL(", ").join(map(sql.Identifier, MINUTES.schema.names[1:]))
    statement = sql.SQL(
        "copy (select {} || symbol, {} from {} where symbol like 'S%' order by symbol, ts) "
        "to stdout (format binary)"
    ).format(prefix, others, TABLE)
    with server.cursor().copy(statement) as copy:
        content = b"".join(copy)
    return [content[start : start + PIECE] for start in range(0, len(content), PIECE)]


def copy_in(server: Server, pieces: list[bytes]) -> None:
    """One COPY in a transaction of its own."""
    statement = sql.SQL("copy public.twin ({}) from stdin (format binary)").format(COLUMNS)
    with server.cursor().copy(statement) as copy:
        for piece in pieces:
            copy.write(piece)


class Bar:
    """A row, as an ORM sees it."""


def merge(engine: sa.Engine, rows: list[dict[str, Any]]) -> None:
    """One `Session.merge` per row, all in one transaction."""
    with Session(engine) as session:
        for row in rows:
            bar = Bar()
            for name, value in row.items():
                setattr(bar, name, value)
            session.merge(bar)
        session.commit()


def upsert(engine: sa.Engine, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """The row-wise ingest: a statement made and executed for each row, committed in chunks."""
    with Session(engine) as session:
        for number, row in enumerate(rows, 1):
            session.execute(_upsert_of(pg_insert(table).values(row)))
            if number % COMMITTED_ROWS == 0:
                session.commit()
        session.commit()


def upsert_prepared(engine: sa.Engine, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """One statement, compiled once and executed for each row, all in one transaction."""
    statement = _upsert_of(pg_insert(table))
    with engine.begin() as connection:
        for row in rows:
            connection.execute(statement, row)


def _upsert_of(statement: Insert) -> Insert:
    changed = {n: statement.excluded[n] for n in MINUTES.schema.names if n not in MINUTES.key}
    return statement.on_conflict_do_update(index_elements=list(MINUTES.key), set_=changed)


def versions_changed(server: Server, store: TimescaleStore, rows: pl.DataFrame) -> int:
    """Row versions that are new, gone or dead after the same rows were replaced once more."""
    versions = sql.SQL(
        "select tableoid as chunk, ctid as place, xmin::text as writer from {}"
    ).format(TABLE)
    server.execute(sql.SQL("create temporary table before as {}").format(versions))
    replace(store, rows)
    differing = sql.SQL(
        "select count(*) from (({0} except table before) union all (table before except {0})) d"
    ).format(versions)
    dead = (
        "select coalesce(sum(n_dead_tup), 0) from pg_stat_all_tables s "
        "join timescaledb_information.chunks c on c.hypertable_schema = 'curated' "
        "and c.chunk_schema = s.schemaname and c.chunk_name = s.relname"
    )
    found = number(server, differing) + number(server, dead)
    server.execute("drop table before")
    return int(found)


def number(server: Server, statement: sql.Composed | str) -> float:
    """The one number that a statement answers with."""
    row = server.execute(statement).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return float(row[0])


def write_ratios(connections: Connections, server: Server) -> list[Ratio]:
    """First load, unchanged re-run and forced re-run of the same month, in turns."""
    store, first, times = open_store(connections), bars(SYMBOLS, PER_SYMBOL), Times()
    make_twin(server)
    replace(store, first)
    copy_in(server, encoded(server, ""))
    rows = first
    for turn in range(ROUNDS):
        prefix = f"R{turn}"
        rows = first.with_columns(symbol=prefix + pl.col("symbol"))
        pieces = encoded(server, prefix)
        times.turn(
            {
                "fresh": lambda rows=rows: replace(store, rows),
                "COPY": lambda pieces=pieces: copy_in(server, pieces),
            },
            backwards=turn % 2 == 1,
        )
        times.turn({"unchanged": lambda rows=rows: replace(store, rows)})
        # Without receipts nothing but the rows themselves tells that they are the same.
        server.execute("delete from emp.receipts")
        times.turn({"forced": lambda rows=rows: replace(store, rows)})
    stored = number(server, sql.SQL("select count(*) from {}").format(TABLE))
    assert stored == number(server, "select count(*) from public.twin")
    single = single_rows(server, rows.head(SINGLE_ROWS))
    fresh = rows.height / times.shortest("fresh")
    upserted, merged, prepared = (
        SINGLE_ROWS / single.shortest(way) for way in ("upsert", "merge", "prepared")
    )
    return [
        Ratio(
            "Timescale first load, speed of a bare binary COPY",
            times.ratio("COPY", "fresh"),
            0.90,
            detail=f"{rows.height} rows: {times.told('fresh', 'COPY')}",
        ),
        Ratio(
            "Timescale unchanged re-run, times as fast as the first load",
            times.ratio("fresh", "unchanged"),
            5.0,
            detail=times.told("unchanged"),
        ),
        Ratio(
            "Timescale unchanged re-run, row versions that it made or left dead",
            versions_changed(server, store, rows),
            0.0,
            higher_is_better=False,
            detail=f"of {stored:.0f} rows",
        ),
        Ratio(
            "Timescale re-run that compares every row, speed of the first load",
            times.ratio("fresh", "forced"),
            0.70,
            detail=times.told("forced"),
        ),
        Ratio(
            "Timescale first load, rows/s against a row-wise upsert through SQLAlchemy",
            fresh / upserted,
            50.0,
            detail=f"{fresh:,.0f} against {upserted:,.0f} rows/s, committed every "
            f"{COMMITTED_ROWS}; {fresh / merged:.1f} times Session.merge, {merged:,.0f} rows/s; "
            f"{fresh / prepared:.1f} times one compiled upsert, {prepared:,.0f} rows/s",
        ),
    ]


def single_rows(server: Server, rows: pl.DataFrame) -> Times:
    """Row-wise upserts into the twin, of fresh rows."""
    engine = sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(server_url(server))
    )
    try:
        table = sa.Table("twin", sa.MetaData(), autoload_with=engine, schema="public")
        key = [table.c[name] for name in MINUTES.key]
        registry().map_imperatively(Bar, table, primary_key=key)
        times = Times()
        for turn in range(3):
            fresh = {
                way: rows.with_columns(symbol=pl.lit(f"{way}{turn}") + pl.col("symbol")).to_dicts()
                for way in ("upsert", "merge", "prepared")
            }
            times.turn(
                {
                    "upsert": lambda fresh=fresh: upsert(engine, table, fresh["upsert"]),
                    "merge": lambda fresh=fresh: merge(engine, fresh["merge"]),
                    "prepared": lambda fresh=fresh: upsert_prepared(
                        engine, table, fresh["prepared"]
                    ),
                },
                backwards=turn % 2 == 1,
            )
        return times
    finally:
        engine.dispose()


def server_url(server: Server) -> str:
    """How the connection was opened, with its password."""
    return psycopg.conninfo.make_conninfo(server.info.dsn, password=server.info.password or None)


def executed(server: Server, symbol: str, more: str = "") -> float:
    """Seconds that the server itself takes for a symbol's year, by its own word."""
    statement = sql.SQL(
        "explain (analyze, timing off{}) select {} from {} where symbol = {} order by symbol, ts"
    ).format(sql.SQL(more), COLUMNS, TABLE, symbol)
    plan = "\n".join(line for (line,) in server.execute(statement))
    found = re.search(r"Execution Time: ([\d.]+) ms", plan)
    assert found is not None
    return float(found[1]) / 1e3


def fill_years(connections: Connections, server: Server) -> TimescaleStore:
    """A store that holds a hundred thousand minutes of each of some symbols."""
    store = open_store(connections)
    replace(store, bars(YEAR_SYMBOLS))
    server.execute(sql.SQL("vacuum analyze {}").format(TABLE))
    return store


def read_ratio(connections: Connections, server: Server) -> Ratio:
    """One symbol's year as a frame against the server's work for it, sending left out."""
    store, times = fill_years(connections, server), Times()
    for turn in range(READ_ROUNDS):
        symbol = YEAR_SYMBOLS[turn % len(YEAR_SYMBOLS)]

        def scan(symbol: str = symbol) -> None:
            assert store.scan(MINUTES, symbols=[symbol]).height == BARS

        times.turn({"scan": scan})
        # Rows become the bytes of an answer: without it the server would compute next to nothing.
        times.add("server", executed(server, symbol, ", serialize binary"))
        times.add("rows found and dropped", executed(server, symbol))
    return Ratio(
        "Timescale symbol-year read, time of the server alone",
        times.ratio("scan", "server"),
        2.5,
        higher_is_better=False,
        detail=f"{BARS} rows: {times.told('scan', 'server', 'rows found and dropped')}",
    )


def run() -> list[Ratio]:
    """Nothing where there is no server; about a minute."""
    if not os.environ.get(VARIABLE):
        print(f"timescale: not measured, {VARIABLE} is not set", file=sys.stderr)
        return []
    with own_store() as (connections, server):
        written = write_ratios(connections, server)
    with own_store() as (connections, server):
        return [*written, read_ratio(connections, server)]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
