"""Failover: its decisions, and the slices that the warehouse missed.

What belongs here: the `Failover` port in the operations database. What does not: when what is
decided (market_data/failover/decide.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.automation_models import failover_decisions, missed_slices
from adapters.operations.database import reading, writing
from market_data.failover.state import Decision, MissedSlice, Standing
from market_data.timeframes import Timeframe

_DECISIONS, _MISSED = failover_decisions.c, missed_slices.c
_DAY = timedelta(days=1)
_ALONE = "failover"


class SqlFailover:
    """The `Failover` port in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def standing(self) -> Standing:
        """What the newest decision made of the installation."""
        found = self.decisions(1)
        return found[0].became if found else Standing.NORMAL

    def decisions(self, limit: int = 20) -> list[Decision]:
        """The newest decisions, newest first."""
        query = sa.select(failover_decisions).order_by(_DECISIONS.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_decision(row) for row in connection.execute(query).mappings()]

    def take(self, decision: Decision, *, after: int) -> int:
        """Keep a decision, unless another was taken meanwhile; see the port."""
        with writing(self._engine, alone=_ALONE) as connection:
            newest = _highest(connection, _DECISIONS.number)
            if newest != after:
                return 0
            row = {
                "number": newest + 1,
                "at": decision.at,
                "was": str(decision.was),
                "became": str(decision.became),
                "reason": decision.reason,
                "evidence": json.dumps(decision.evidence, sort_keys=True, default=str),
                "author": decision.author,
            }
            connection.execute(sa.insert(failover_decisions).values(row))
        return newest + 1

    def note(self, missed: MissedSlice) -> int:
        """Note a slice that could not be written; see the port."""
        with writing(self._engine, alone=_ALONE) as connection:
            for known in _open(connection, missed):
                united = _united(known, missed)
                if united is None:
                    continue
                if united != known:
                    connection.execute(
                        sa.update(missed_slices)
                        .where(_MISSED.number == known.number)
                        .values({**_extent(united), "attempts": 0})
                    )
                return known.number
            number = _highest(connection, _MISSED.number) + 1
            row = {
                **_extent(missed),
                "number": number,
                "dataset": missed.dataset,
                "timeframe": str(missed.timeframe or ""),
                "run_id": missed.run_id,
                "noted_at": missed.noted_at,
                "decision": in_force(connection),
                "attempts": 0,
                "digest_lake": "",
                "digest_store": "",
                "rows": 0,
                "remark": "",
            }
            connection.execute(sa.insert(missed_slices).values(row))
        return number

    def open(self) -> list[MissedSlice]:
        """Slices that are not made yet, oldest first."""
        query = sa.select(missed_slices).where(_MISSED.replayed_at.is_(None))
        with reading(self._engine) as connection:
            return [
                _slice(row) for row in connection.execute(query.order_by(_MISSED.number)).mappings()
            ]

    def newest(self, limit: int = 50) -> list[MissedSlice]:
        """The newest slices, made or not, newest first."""
        query = sa.select(missed_slices).order_by(_MISSED.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_slice(row) for row in connection.execute(query).mappings()]

    def attempt(self, missed: MissedSlice) -> bool:
        """Count an attempt; see the port."""
        return self._change(missed, {"attempts": missed.attempts + 1})

    def settle(
        self,
        missed: MissedSlice,
        at: datetime,
        *,
        digests: tuple[str, str],
        rows: int,
        remark: str = "",
    ) -> bool:
        """A slice is whole again; see the port."""
        lake, store = digests
        return self._change(
            missed,
            {
                "replayed_at": at,
                "digest_lake": lake,
                "digest_store": store,
                "rows": rows,
                "remark": remark,
            },
        )

    def again(self, numbers: Sequence[int]) -> int:
        """Open slices have their attempts again; see the port."""
        with writing(self._engine, alone=_ALONE) as connection:
            done = connection.execute(
                sa.update(missed_slices)
                .where(_MISSED.number.in_(list(numbers)), _MISSED.replayed_at.is_(None))
                .values(attempts=0)
            )
        return int(done.rowcount)

    def _change(self, missed: MissedSlice, values: dict[str, Any]) -> bool:
        """Change a slice that is as its caller has read it; whether it was."""
        with writing(self._engine, alone=_ALONE) as connection:
            query = sa.select(missed_slices).where(_MISSED.number == missed.number)
            row = connection.execute(query).mappings().first()
            if row is None or _slice(row) != missed or missed.replayed_at is not None:
                return False
            connection.execute(
                sa.update(missed_slices).where(_MISSED.number == missed.number).values(values)
            )
        return True


def in_force(connection: Connection) -> int | None:
    """Number of the newest decision while it says that the warehouse is away; else None."""
    query = sa.select(_DECISIONS.number, _DECISIONS.became)
    row = connection.execute(query.order_by(_DECISIONS.number.desc()).limit(1)).first()
    return row.number if row is not None and row.became == str(Standing.AWAY) else None


def _highest(connection: Connection, column: sa.ColumnElement[int]) -> int:
    return connection.execute(sa.select(sa.func.max(column))).scalar() or 0


def _open(connection: Connection, like: MissedSlice) -> list[MissedSlice]:
    query = sa.select(missed_slices).where(
        _MISSED.replayed_at.is_(None),
        _MISSED.dataset == like.dataset,
        _MISSED.timeframe == str(like.timeframe or ""),
    )
    return [_slice(row) for row in connection.execute(query.order_by(_MISSED.number)).mappings()]


def _united(known: MissedSlice, missed: MissedSlice) -> MissedSlice | None:
    """Both as one slice, where that holds nothing which neither of them does."""
    symbols = tuple(sorted({*known.symbols, *missed.symbols}))
    first, last = min(known.first, missed.first), max(known.last, missed.last)
    both = replace(known, symbols=symbols, first=first, last=last)
    within = both == replace(known, symbols=tuple(sorted(known.symbols)))
    beside = known.first <= missed.last + _DAY and missed.first <= known.last + _DAY
    same_symbols = set(known.symbols) == set(missed.symbols)
    if within or known.sessions == missed.sessions or (same_symbols and beside):
        return both
    return None


def _extent(missed: MissedSlice) -> dict[str, Any]:
    return {
        "symbols": sorted(missed.symbols),
        "first_session": missed.first,
        "last_session": missed.last,
    }


def _decision(row: sa.RowMapping) -> Decision:
    return Decision(
        row["at"],
        Standing(row["was"]),
        Standing(row["became"]),
        row["reason"],
        json.loads(row["evidence"]),
        row["author"],
        row["number"],
    )


def _slice(row: sa.RowMapping) -> MissedSlice:
    fields = dict(row)
    fields["first"], fields["last"] = fields.pop("first_session"), fields.pop("last_session")
    fields["symbols"] = tuple(fields["symbols"])
    fields["timeframe"] = Timeframe(fields["timeframe"]) if fields["timeframe"] else None
    return MissedSlice(**fields)
