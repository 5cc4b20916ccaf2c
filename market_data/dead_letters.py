"""Refused rows as dead letters: one JSON document per failure, as older tools read them.

What belongs here: which rows make one failure, the document and the name of its file.
What does not: writing files (emp/quarantine.py), why a row is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

_FAILURE = ["fetch_id", "vendor", "timeframe", "symbol", "stage"]
_ERRORS = {"fetch": "unreadable_rows", "curate": "invalid_rows"}
"""What failed: a reader that could not make a bar of a row, or a rule that a bar broke."""


def dead_letters(rows: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of one document per failure, oldest first.

    A failure is what one fetch brought of one symbol that one stage refused. The same rows give
    the same documents under the same names.

    Args:
        rows: rows of QUARANTINE, or of REFUSED_ROWS.

    Yields:
        `dlq_<time>_<id>.json`, and timestamp (UTC, when the first row was refused), error
        (unreadable_rows or invalid_rows), context (asset_pair, timeframe, provider), records: the
        values of each row as it came, with `reason`.
    """
    ordered = rows.sort("seen_at", *_FAILURE, "ts", "row_id", nulls_last=False)
    for key, group in ordered.group_by(_FAILURE, maintain_order=True):
        fetch_id, vendor, timeframe, symbol, stage = (str(part) for part in key)
        first: datetime = group["seen_at"].min()  # type: ignore[assignment]
        text = "\x1f".join((fetch_id, vendor, timeframe, symbol, stage))
        letter = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
        yield (
            f"dlq_{first:%Y-%m-%dT%H-%M-%S}_{letter}.json",
            {
                "timestamp": f"{first:%Y-%m-%dT%H:%M:%S}Z",
                "error": _ERRORS.get(stage, stage),
                "context": {"asset_pair": symbol, "timeframe": timeframe, "provider": vendor},
                "records": [
                    values_of(text) | {"reason": reasons}
                    for text, reasons in group.select("row", "reasons").iter_rows()
                ],
            },
        )


def values_of(row: str) -> dict[str, Any]:
    """The values of a refused row; where it is no JSON object, its text under `row`."""
    try:
        values = json.loads(row)
    except ValueError:
        values = None
    return values if isinstance(values, dict) else {"row": row}
