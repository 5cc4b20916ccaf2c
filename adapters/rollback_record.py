"""The record by which a rollback that was killed is finished: rollback.json beside the snapshot.

What belongs here: its form. What does not: when it is written and read (adapters/rollback.py).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from adapters.snapshots import Snapshot
from market_data.backfill.records import BackfillState
from market_data.pipeline.rollback import Fetched

_RECORD = "rollback.json"


def write(before: Snapshot, was: BackfillState, found: Fetched) -> None:
    """Keep what a rollback is about to take back, whole or not at all.

    Args:
        before: the snapshot.
        was: the state of the backfill.
        found: what it brought, and what others did since.
    """
    content: dict[str, Any] = {
        "was": str(was),
        "fetches": found.fetches,
        "rows": found.rows,
        "touched": found.touched.with_columns(pl.col("session").cast(pl.String)).rows(),
        "actions": found.actions,
        "of_actions": found.of_actions,
        "others": [(symbol, *map(str, days)) for symbol, *days in found.others],
    }
    draft = before.folder / f".{_RECORD}"
    draft.write_text(json.dumps(content))
    draft.replace(before.folder / _RECORD)


def read(before: Snapshot) -> tuple[BackfillState, Fetched]:
    """What `write` kept."""
    path: Path = before.folder / _RECORD
    content = json.loads(path.read_text())
    touched = pl.DataFrame(
        content["touched"],
        schema={name: pl.String() for name in Fetched().touched.columns},
        orient="row",
    ).with_columns(pl.col("session").str.to_date())
    fetches = {name: tuple(ids) for name, ids in content["fetches"].items()}
    actions = tuple(content.get("actions", ())), tuple(content.get("of_actions", ()))
    others = tuple(
        (symbol, date.fromisoformat(first), date.fromisoformat(last))
        for symbol, first, last in content.get("others", ())
    )
    return BackfillState(content["was"]), Fetched(
        fetches, content["rows"], touched, *actions, others
    )
