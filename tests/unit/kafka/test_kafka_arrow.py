"""Rows as messages: back again exactly, never larger than a message may be."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.kafka.arrow import Slice, to_batch, to_messages
from market_data.errors import SchemaError
from market_data.schemas import CURATED_BARS

OF = Slice("r1", "curated/bars_1m", "EURÜSD", "2024-01", (date(2024, 1, 1), date(2024, 1, 31)))
floats = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(0, 60))
    start = datetime(2024, 1, 1, tzinfo=UTC)

    def column(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    return CURATED_BARS.conform(
        pl.DataFrame(
            {
                "symbol": ["EURÜSD"] * rows,
                "ts": [start + timedelta(minutes=i) for i in range(rows)],
                "session": [date(2024, 1, 1)] * rows,
                **{n: column(floats) for n in ("open", "high", "low", "close")},
                "volume": column(st.none() | floats),
                "vwap": column(st.none() | floats),
                "trades": column(st.none() | st.integers(-(2**63), 2**63 - 1)),
                "source": column(st.text(max_size=8)),
                "filled": column(st.text(max_size=8)),
                "final": column(st.booleans()),
                "dq_status": column(st.sampled_from(["ok", "warn"])),
                "flags": column(st.text(max_size=8)),
                "rule_version": ["1"] * rows,
            },
            schema_overrides={
                "ts": pl.Datetime("us", "UTC"),
                "trades": pl.Int64,
                **dict.fromkeys(("volume", "vwap"), pl.Float64),
            },
            strict=False,
        )
    )


@settings(max_examples=40, deadline=None)
@given(frames(), st.integers(0, 60), st.integers(10_000, 30_000))
def test_rows_come_back_exactly_however_they_were_cut(frame, times, limit):
    noise = np.random.default_rng(times)
    frame = pl.concat([frame.clear(), *[frame] * times])
    frame = frame.with_columns(pl.Series("high", noise.normal(size=frame.height)))
    messages = to_messages(frame, OF, "t", limit)
    assert all(len(m.value) <= limit for m in messages)
    batches = [to_batch(m.value, m.headers) for m in messages]
    assert_frame_equal(pl.concat([b.frame for b in batches]), frame, check_exact=True)
    assert [(b.part, b.parts) for b in batches] == [
        (n, len(batches)) for n in range(1, len(batches) + 1)
    ]
    assert {b.slice for b in batches} == {OF}
    assert len({b.message_id for b in batches}) == len(batches)
    assert {m.key for m in messages} == {"EURÜSD".encode()}


def test_any_arrow_library_reads_a_message():
    frame = pl.DataFrame({"symbol": ["A", "B"], "close": [1.0, None]})
    (message,) = to_messages(frame, OF, "t", 100_000)
    table = pa.ipc.open_stream(io.BytesIO(message.value)).read_all()
    assert str(table.schema.field("symbol").type.value_type) == "large_string"
    assert table.to_pylist() == [{"symbol": "A", "close": 1.0}, {"symbol": "B", "close": None}]


def test_a_row_that_fits_no_message_is_refused():
    frame = pl.DataFrame({"symbol": ["A"], "text": [bytes(range(256)).hex() * 40]})
    with pytest.raises(SchemaError, match="KAFKA_MAX_MESSAGE_BYTES"):
        to_messages(frame, OF, "t", 500)


def test_what_is_no_message_of_rows_is_refused():
    (message,) = to_messages(pl.DataFrame({"symbol": ["A"]}), OF, "t", 100_000)
    without_part = [h for h in message.headers if h[0] != "part"]
    more_rows = [("rows", b"2") if h[0] == "rows" else h for h in message.headers]
    other = [("format", b"csv") if h[0] == "format" else h for h in message.headers]
    for value, headers, said in (
        (message.value, [], "not a message of rows"),
        (message.value, without_part, "not a message of rows"),
        (message.value[:40], message.headers, "not a message of rows"),
        (b"", message.headers, "not a message of rows"),
        (message.value, more_rows, "1 rows where 2 were announced"),
        (message.value, other, "'csv' cannot be read"),
    ):
        with pytest.raises(SchemaError, match=said):
            to_batch(value, headers)
