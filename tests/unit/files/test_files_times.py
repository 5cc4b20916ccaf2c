"""Times: zones, daylight saving, labels, epochs, days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vendors.files.blocks import Block, line_blocks
from adapters.vendors.files.layout import read_layout
from adapters.vendors.files.parse import parse_block
from adapters.vendors.files.spec import FormatSpec, load_format
from adapters.vendors.files.times import bar_starts

HISTDATA = load_format("histdata_m1")
PLAIN = load_format("plain")


def starts(texts: list[str], spec: FormatSpec, day: date | None = None) -> list[datetime | None]:
    return bar_starts(pl.Series(texts), None, spec, day).ts.to_list()


def test_a_local_time_that_the_clock_skips_is_no_time() -> None:
    times = bar_starts(pl.Series(["20170312 020000", "20170312 030000"]), None, HISTDATA, None)
    assert times.nonexistent.to_list() == [True, False]
    assert times.ts.to_list() == [None, datetime(2017, 3, 12, 7, tzinfo=UTC)]


def test_a_row_at_a_skipped_time_is_rejected_by_name() -> None:
    block = Block(b"20170312 020000;1;1;1;1;0\n", 1)
    layout, rows = read_layout(block, HISTDATA, "x")
    parsed = parse_block(rows, layout, HISTDATA, names={"X": ("X", "X")}, file_symbol="X")
    assert parsed.bars.is_empty()
    assert parsed.rejected["reasons"].to_list() == ["nonexistent_time"]


def test_an_ambiguous_local_time_is_the_earlier_one() -> None:
    assert starts(["20171105 013000"], HISTDATA) == [datetime(2017, 11, 5, 5, 30, tzinfo=UTC)]


def test_a_fixed_offset_knows_no_summer() -> None:
    spec = load_format("histdata_m1_est")
    assert starts(["20170702 120000"], spec) == [datetime(2017, 7, 2, 17, tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    [
        "2024-07-01T12:00:00Z",
        "2024-07-01T12:00:00+00:00",
        "2024-07-01T14:00:00.000+02:00",
        "2024-07-01 08:00:00-04:00",
        "2024-07-01 12:00:00",
        "2024-07-01T12:00",
        "2024-07-01 12:00:00.000000",
    ],
)
def test_iso_times(text: str) -> None:
    assert starts([text], PLAIN) == [datetime(2024, 7, 1, 12, tzinfo=UTC)]


def test_formats_may_change_within_a_file() -> None:
    texts = ["2024-07-01T12:00:00Z", "2024-07-01 12:01", "nonsense", "2024-07-01 14:02:00+02:00"]
    noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
    minute = timedelta(minutes=1)
    assert starts(texts, PLAIN) == [noon, noon + minute, None, noon + 2 * minute]


def test_a_day_is_the_date_as_written_whatever_the_offset() -> None:
    yahoo = load_format("yahoo_csv")
    texts = ["2023-04-14 00:00:00+09:00", "2023-04-14", "4/14/2023", "2022-01-03 00:00:00-05:00"]
    days = [t.date() for t in starts(texts, yahoo) if t]
    assert days == [date(2023, 4, 14)] * 3 + [date(2022, 1, 3)]


def test_a_label_at_the_end_is_moved_to_the_start() -> None:
    spec = load_format("alpha_vantage_intraday_csv")
    assert starts(["2019-02-11 09:31:00"], spec) == [datetime(2019, 2, 11, 14, 30, tzinfo=UTC)]


@pytest.mark.parametrize(("unit", "factor"), [("epoch_s", 1), ("epoch_ms", 1000)])
def test_epochs(unit: str, factor: int) -> None:
    spec = PLAIN.but(time={"formats": [unit]})
    texts = [str(1_700_000_040 * factor), "soon", "9" * 18]
    assert starts(texts, spec) == [datetime(2023, 11, 14, 22, 14, tzinfo=UTC), None, None]


def test_milliseconds_count_from_the_local_midnight_of_the_named_day() -> None:
    spec = load_format("lean_minute")
    summer = starts(["34200000", "-1", "86400000"], spec, date(2014, 6, 5))
    assert summer == [datetime(2014, 6, 5, 13, 30, tzinfo=UTC), None, None]
    assert starts(["34200000"], spec, date(2014, 1, 6)) == [
        datetime(2014, 1, 6, 14, 30, tzinfo=UTC)
    ]


@given(st.integers(631_152_000, 2_051_222_400))
def test_new_york_agrees_with_the_standard_library(second: int) -> None:
    utc = datetime.fromtimestamp(second, UTC)
    local = utc.astimezone(ZoneInfo("America/New_York"))
    expected = utc - timedelta(hours=1) if local.fold else utc
    assert starts([local.strftime("%Y%m%d %H%M%S")], HISTDATA) == [expected]


@given(
    lines=st.lists(st.text(alphabet="ab,1é", max_size=12), max_size=30),
    chunk=st.integers(1, 40),
    size=st.integers(1, 60),
)
def test_blocks_hold_every_line_once_and_in_order(lines: list[str], chunk: int, size: int) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    chunks = [data[i : i + chunk] for i in range(0, len(data), chunk)]
    blocks = list(line_blocks(chunks, "x", size=size))
    assert b"".join(b.data for b in blocks) == data
    position = 1
    for block in blocks:
        assert block.line == position
        position += block.data.count(b"\n")
