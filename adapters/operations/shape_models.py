"""The tables of answers' shapes, beside the others of the operations database (models.py).

What belongs here: tables, columns, indexes. A change here needs a new file in migrations/versions.
What does not: statements (shapes.py).
"""

from __future__ import annotations

import sqlalchemy as sa

from adapters.operations.models import Instant, LongText, ShortText, _number, _required, metadata

answer_shapes = sa.Table(
    "answer_shapes",
    metadata,
    _required("vendor", ShortText(), primary_key=True),
    _required("timeframe", ShortText(), primary_key=True),
    _required("symbol", ShortText(), primary_key=True),
    _required("shape", LongText()),
    _required("seen_at", Instant()),
    _required("fetch_id", ShortText()),
    sqlite_with_rowid=False,
)
"""What is expected of the next answer; `shape` is JSON, `seen_at` when it last changed."""

shape_changes = sa.Table(
    "shape_changes",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("vendor", ShortText()),
    _required("timeframe", ShortText()),
    _required("symbol", ShortText()),
    _required("session", sa.Date()),
    _required("path", LongText()),
    _required("change", ShortText()),
    _required("was", ShortText()),
    _required("now", ShortText()),
    _required("is_read", sa.Boolean()),
    _required("fetch_id", ShortText()),
    _required("seen_at", Instant()),
    sa.Column("mended_at", Instant()),
    sa.Index(None, "vendor", "timeframe", "session"),
)
"""Every change of an answer's shape, once; `mended_at` is empty until the old form came back."""
