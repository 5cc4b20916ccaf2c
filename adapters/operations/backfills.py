"""Backfills in the operations database.

What belongs here: the port of market_data/ports/backfills.py on SQLAlchemy. Each change is one
statement that names the state which it changes, so that of several processes one alone makes it.
What does not: what comes next (market_data/backfill/machine.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.automation_models import backfill_pieces, backfills
from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from adapters.operations.message_models import backfill_keys
from market_data.backfill.plan_json import plan_from_json, plan_to_json
from market_data.backfill.plans import BackfillPlan
from market_data.backfill.records import Backfill, BackfillState, PieceRecord, PieceState
from market_data.errors import ConfigurationError

_ID_LENGTH = 12
_NAMED = 5
"""How many ids a message names."""
_TAKEN = [str(state) for state in PieceState if state.is_taken]
_LIVE = tuple(
    str(state) for state in (BackfillState.WAITING, BackfillState.RUNNING, BackfillState.CANCELLING)
)


class SqlBackfills:
    """The `Backfills` port in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        plan: BackfillPlan,
        *,
        at: datetime,
        author: str,
        key: str = "",
        state: BackfillState = BackfillState.RUNNING,
    ) -> str:
        """Keep a plan as a backfill; see the port."""
        with writing(self._engine) as connection:
            return add_backfill(connection, plan, at=at, author=author, key=key, state=state)

    def get(self, beginning: str) -> Backfill:
        """The backfill whose id begins so; see the port."""
        table = backfills.c
        found: list[Backfill] = []
        if beginning:
            # A beginning is compared as text: it may hold what LIKE would read as a pattern.
            same = sa.func.substr(table.id, 1, len(beginning)) == beginning
            found = self._read(sa.select(backfills).where(same).limit(_NAMED))
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(one.id for one in found)
            raise ConfigurationError(f"several backfills begin with {beginning!r}: {named}")
        newest = ", ".join(one.id for one in self.newest(_NAMED)) or "there is none yet"
        raise ConfigurationError(f"no backfill {beginning!r}; the newest: {newest}")

    def newest(self, limit: int = 20, *, author: str = "") -> list[Backfill]:
        """The newest ones, newest first; see the port."""
        order = backfills.c.created_at.desc(), backfills.c.id
        query = sa.select(backfills).order_by(*order).limit(limit)
        return self._read(query.where(backfills.c.author == author) if author else query)

    def since(self, moment: datetime) -> list[Backfill]:
        """Those that were launched, or changed their state, since a moment; see the port."""
        table = backfills.c
        recent = sa.or_(table.created_at >= moment, table.changed_at >= moment)
        query = sa.select(backfills).where(recent)
        return self._read(query.order_by(table.created_at.desc(), table.id))

    def live(self) -> list[Backfill]:
        """Those that wait for their time, run, or are being cancelled; see the port."""
        table = backfills.c
        query = sa.select(backfills).where(table.state.in_(_LIVE))
        return self._read(query.order_by(table.created_at, table.id))

    def claim(self, backfill: str, number: int, token: str, at: datetime) -> bool:
        """Take a piece that waits; see the port."""
        return self._change(
            backfill,
            number,
            [backfill_pieces.c.state == str(PieceState.WAITING)],
            state=str(PieceState.CLAIMED),
            token=token,
            run_id="",
            attempts=backfill_pieces.c.attempts + 1,
            claimed_at=at,
            ended_at=None,
            reason="",
            outcome="{}",
        )

    def started(self, backfill: str, number: int, token: str, run_id: str) -> bool:
        """The run of a claimed piece begins."""
        claimed = [backfill_pieces.c.state == str(PieceState.CLAIMED), _held_by(token)]
        return self._change(backfill, number, claimed, state=str(PieceState.RUNNING), run_id=run_id)

    def settle(
        self,
        backfill: str,
        number: int,
        token: str,
        state: PieceState,
        *,
        at: datetime,
        reason: str = "",
        outcome: Mapping[str, Any] | None = None,
    ) -> bool:
        """A piece that an attempt has is through; see the port."""
        return self._change(
            backfill,
            number,
            [_held_by(token)],
            state=str(state),
            ended_at=at,
            reason=reason,
            outcome=json.dumps(outcome or {}, sort_keys=True),
        )

    def release(self, backfill: str, number: int, token: str, *, counted: bool = True) -> bool:
        """A piece that an attempt has waits again; see the port."""
        attempts = backfill_pieces.c.attempts
        return self._change(
            backfill,
            number,
            [_held_by(token)],
            state=str(PieceState.WAITING),
            attempts=attempts if counted else attempts - 1,
        )

    def again(self, backfill: str, states: Collection[PieceState]) -> int:
        """Pieces in some states wait again, as if they had never been tried."""
        with writing(self._engine) as connection:
            done = connection.execute(
                sa.update(backfill_pieces)
                .where(
                    backfill_pieces.c.backfill == backfill,
                    backfill_pieces.c.state.in_([str(state) for state in states]),
                )
                .values(state=str(PieceState.WAITING), attempts=0, reason="")
            )
        return int(done.rowcount)

    def repeat(self, backfill: str, number: int) -> bool:
        """A failed piece waits again, its attempts counted."""
        failed = backfill_pieces.c.state == str(PieceState.FAILED)
        return self._change(backfill, number, [failed], state=str(PieceState.WAITING))

    def drop(self, backfill: str, number: int, at: datetime) -> bool:
        """A piece that is not through is never begun again."""
        open_ = backfill_pieces.c.state.in_([str(PieceState.WAITING), *_TAKEN])
        cancelled = str(PieceState.CANCELLED)
        return self._change(backfill, number, [open_], state=cancelled, ended_at=at)

    def move(
        self,
        backfill: str,
        was: Collection[BackfillState],
        to: BackfillState,
        at: datetime,
    ) -> bool:
        """Change the state of a backfill that is in one of some states; whether it was."""
        former = backfills.c.state.in_([str(state) for state in was])
        with writing(self._engine) as connection:
            done = connection.execute(
                sa.update(backfills)
                .where(backfills.c.id == backfill, former)
                .values(state=str(to), changed_at=at)
            )
        return bool(done.rowcount)

    def _change(
        self,
        backfill: str,
        number: int,
        conditions: Sequence[sa.ColumnElement[bool]],
        **values: Any,
    ) -> bool:
        own = backfill_pieces.c.backfill == backfill, backfill_pieces.c.number == number
        with writing(self._engine) as connection:
            done = connection.execute(
                sa.update(backfill_pieces).where(*own, *conditions).values(**values)
            )
        return bool(done.rowcount)

    def _read(self, query: sa.Select[Any]) -> list[Backfill]:
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
            pieces = _pieces(connection, [row["id"] for row in rows])
        return [
            Backfill(
                row["id"],
                row["created_at"],
                row["author"],
                plan_from_json(row["plan"]),
                BackfillState(row["state"]),
                row["changed_at"],
                tuple(pieces.get(row["id"], ())),
            )
            for row in rows
        ]


def add_backfill(
    connection: Connection,
    plan: BackfillPlan,
    *,
    at: datetime,
    author: str,
    key: str = "",
    state: BackfillState = BackfillState.RUNNING,
) -> str:
    """Keep a plan as a backfill, in a transaction that is open; see the port."""
    name = uuid.uuid4().hex[:_ID_LENGTH]
    if key:
        taken = upsert_into(backfill_keys, connection).values(name=key, backfill=name)
        connection.execute(taken.on_conflict_do_nothing(index_elements=["name"]))
        query = sa.select(backfill_keys.c.backfill).where(backfill_keys.c.name == key)
        holder: str = connection.execute(query).scalar_one()
        if holder != name:
            return holder
    row = {
        "id": name,
        "created_at": at,
        "author": author,
        "plan": plan_to_json(plan),
        "state": str(state),
        "changed_at": at,
    }
    pieces = [
        {
            "backfill": name,
            "number": piece.number,
            "state": str(PieceState.WAITING),
            "token": "",
            "run_id": "",
            "attempts": 0,
            "reason": "",
            "outcome": "{}",
        }
        for piece in plan.pieces
    ]
    connection.execute(sa.insert(backfills).values(row))
    if pieces:
        connection.execute(sa.insert(backfill_pieces), pieces)
    return name


def _held_by(token: str) -> sa.ColumnElement[bool]:
    table = backfill_pieces.c
    return sa.and_(table.token == token, table.state.in_(_TAKEN))


def _pieces(connection: Connection, names: Sequence[str]) -> dict[str, list[PieceRecord]]:
    table = backfill_pieces.c
    query = sa.select(backfill_pieces).where(table.backfill.in_(names))
    found: dict[str, list[PieceRecord]] = {}
    for row in connection.execute(query.order_by(table.backfill, table.number)).mappings():
        record = dict(row)
        name = record.pop("backfill")
        record["state"] = PieceState(record["state"])
        record["outcome"] = json.loads(record["outcome"])
        found.setdefault(name, []).append(PieceRecord(**record))
    return found
