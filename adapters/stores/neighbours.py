"""Bars of a slice that sessions beside it might hold as well: a bar lies in one session only.

What belongs here: which rows and files have to be looked at, and the refusal.
What does not: reading them (delta_bar_store.py; adapters/timescale/bar_store.py).

A bar starts within LONGEST_OFFSET of its session, so only the first and last days of a slice can
be bars of another session, and only of one that is twice as far away at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from adapters.stores.slices import LONGEST_OFFSET, files_of, midnight, overlaps
from market_data.datasets import Dataset
from market_data.errors import SessionConflictError

COLUMNS = ("symbol", "ts", "session")
"""What is read of the rows beside a slice."""


@dataclass(frozen=True)
class Edge:
    """The rows of a slice that may be bars of sessions on one side of it.

    Attributes:
        keys: symbol, ts and session of these rows; there are some.
        sessions: first and last session beside the slice that may hold them.
    """

    keys: pl.DataFrame
    sessions: tuple[date, date]

    @property
    def symbols(self) -> list[str]:
        """Of the rows."""
        return self.keys["symbol"].unique().sort().to_list()

    @property
    def times(self) -> tuple[datetime, datetime]:
        """First and last `ts` of the rows."""
        return self.keys.select(first=pl.col("ts").min(), last=pl.col("ts").max()).row(0)

    def files(self) -> pl.Expr:
        """Predicate over `Snapshot.files`: may hold one of the rows in a session beside."""
        return files_of(self.sessions, self.symbols) & overlaps("ts", *self.times)


def edges(dataset: Dataset, rows: pl.DataFrame, sessions: tuple[date, date]) -> list[Edge]:
    """What of a slice has to be compared with the sessions beside it.

    Args:
        dataset: where; one whose key names the session has none.
        rows: of the slice.
        sessions: first and last of the slice.
    """
    if dataset.time_column != "ts" or rows.is_empty():
        return []
    first, last = sessions
    reach = 2 * LONGEST_OFFSET.days
    found = []
    if first > date.min:
        early = pl.col("ts") < midnight(pl.lit(first)) + LONGEST_OFFSET
        beside = (_moved(first, -reach), _moved(first, -1))
        found.append(Edge(rows.select(COLUMNS).filter(early), beside))
    if last < date.max:
        late = pl.col("ts") >= midnight(pl.lit(last)) - LONGEST_OFFSET
        beside = (_moved(last, 1), _moved(last, reach))
        found.append(Edge(rows.select(COLUMNS).filter(late), beside))
    return [edge for edge in found if not edge.keys.is_empty()]


def refuse_shared(
    dataset: Dataset, found: Sequence[Edge], held: Callable[[Edge], pl.DataFrame]
) -> None:
    """Refuse a slice of which another session holds a bar.

    Args:
        dataset: where.
        found: edges of the slice.
        held: the rows beside an edge, with COLUMNS; it may give more of them than needed.

    Raises:
        SessionConflictError: naming the first such bar, and the cure.
    """
    for edge in found:
        first, last = edge.sessions
        shared = (
            held(edge)
            .filter(pl.col("session").is_between(first, last))
            .select("symbol", "ts", stored="session")
            .join(edge.keys, on=("symbol", "ts"))
            .sort("symbol", "ts")
        )
        if not shared.is_empty():
            row = shared.row(0, named=True)
            low, high = sorted((row["stored"], row["session"]))
            raise SessionConflictError(
                f"{dataset.name}: {row['symbol']} at {row['ts']} was to be written in session "
                f"{row['session']}, but session {row['stored']} holds that bar already"
                f"{_more(shared.height)}; nothing was written. Replace both sessions, {low} to "
                f"{high}, in one call"
            )


def _more(count: int) -> str:
    return f" ({count - 1} more bars are like that)" if count > 1 else ""


def _moved(day: date, days: int) -> date:
    """A day some days away, as far as there are dates."""
    return date.fromordinal(
        min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal())
    )
