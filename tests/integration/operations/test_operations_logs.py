"""Journal, quarantine and annotations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from adapters.operations import (
    SqlAnnotations,
    SqlJournal,
    SqlQuarantineLog,
    open_database,
    writing,
)
from market_data.errors import SchemaError
from market_data.ports import Annotation, Decision
from market_data.ports.operations import IngestRun, Journal, QuarantineLog
from market_data.schemas import QUARANTINE
from market_data.timeframes import Timeframe
from tests.support.warm_python import StartedPython

Start = Callable[..., StartedPython]
NOON = datetime(2024, 7, 1, 12, 0, 0, 123_457, tzinfo=UTC)
DAY = date(2024, 6, 28)

RUN = IngestRun(
    fetch_id="f1",
    run_id="r1",
    vendor="yahoo",
    timeframe=Timeframe.D1,
    symbols=("AAPL", "Übung"),
    sessions=(date(2024, 6, 3), DAY),
    status="ok",
    rows=40,
    new_rows=38,
    rejected_rows=2,
    started_at=NOON,
    ended_at=NOON + timedelta(microseconds=1),
    payloads=("ab12", "cd34"),
    error="",
    newest_bar=NOON - timedelta(hours=16),
    unasked=("Übung",),
)


def test_an_attempt_comes_back_as_it_was(engine: sa.Engine) -> None:
    journal: Journal = SqlJournal(engine)
    journal.add(RUN)
    assert journal.runs() == [RUN]
    assert journal.runs()[0].started_at.tzinfo is UTC
    assert journal.runs()[0].duration_seconds == 1e-6
    assert journal.runs()[0].freshness_seconds == 16 * 3600 + 1e-6


def test_a_bar_that_is_still_running_is_as_fresh_as_can_be_and_none_is_unknown() -> None:
    assert replace(RUN, newest_bar=NOON + timedelta(hours=4)).freshness_seconds == 0
    assert replace(RUN, newest_bar=None).freshness_seconds is None


def test_the_same_fetch_replaces_its_attempt(engine: sa.Engine) -> None:
    journal = SqlJournal(engine)
    journal.add(RUN)
    ended = replace(RUN, status="failed", error="HTTP 500", payloads=())
    journal.add(ended)
    assert journal.runs() == [ended]


def test_attempts_come_newest_first_of_one_vendor_and_so_many(engine: sa.Engine) -> None:
    journal = SqlJournal(engine)
    for i, vendor in enumerate(["yahoo", "lean", "yahoo", "yahoo"]):
        started = (NOON + timedelta(hours=i)).astimezone(timezone(timedelta(hours=-9)))
        journal.add(replace(RUN, fetch_id=f"f{i}", vendor=vendor, started_at=started))
    assert [r.fetch_id for r in journal.runs()] == ["f3", "f2", "f1", "f0"]
    assert [r.fetch_id for r in journal.runs(vendor="yahoo", limit=2)] == ["f3", "f2"]
    since = NOON + timedelta(hours=1)
    assert [r.fetch_id for r in journal.runs(since=since, limit=None)] == ["f3", "f2", "f1"]
    assert [r.fetch_id for r in journal.runs(since=since, limit=1)] == ["f3"]


def test_news_follow_the_order_of_writing_down(engine: sa.Engine) -> None:
    journal: Journal = SqlJournal(engine)
    journal.add(replace(RUN, fetch_id="a", symbols=("A",), started_at=NOON))
    told, newest = journal.news(0, ["yahoo"])
    assert told == {"A"}
    journal.add(replace(RUN, fetch_id="b", symbols=("B",), started_at=NOON - timedelta(hours=1)))
    journal.add(replace(RUN, fetch_id="c", symbols=("C",), vendor="lean"))
    journal.add(replace(RUN, fetch_id="d", symbols=("D",), rows=0))
    told, last = journal.news(newest, ["yahoo"])
    assert told == {"B"}
    assert journal.news(last, ["yahoo"]) == (set(), last)
    assert journal.news(0, []) == (set(), 0)
    journal.add(replace(RUN, fetch_id="a", symbols=("A",), started_at=NOON))
    assert journal.news(last, ["yahoo"])[0] == {"A"}, "an attempt that is replaced is news"


def test_a_time_without_a_zone_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="no time zone"):
        SqlJournal(engine).add(replace(RUN, started_at=datetime(2024, 1, 1)))  # noqa: DTZ001


def rejected(**changes: object) -> dict[str, object]:
    return {
        "row_id": "1",
        "vendor": "yahoo",
        "timeframe": "1m",
        "symbol": "AAPL",
        "ts": datetime(2024, 6, 28, 13, 30, 0, 1, tzinfo=UTC),
        "session": DAY,
        "stage": "fetch",
        "reasons": "high_below_low,not_positive",
        "row": '{"close": "n/a"}',
        "fetch_id": "f1",
        "seen_at": NOON,
        **changes,
    }


def rows(*entries: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(entries), schema=QUARANTINE.dtypes)


def test_a_rejected_row_is_kept_once(engine: sa.Engine) -> None:
    log: QuarantineLog = SqlQuarantineLog(engine)
    first = rows(rejected(), rejected(row_id="2"))
    assert log.add(first) == 2
    again = rows(
        rejected(fetch_id="f2", seen_at=NOON + timedelta(1)),
        rejected(row_id="3"),
        rejected(row_id="3"),
    )
    assert log.add(again) == 1
    assert log.add(QUARANTINE.empty()) == 0
    read = log.read()
    QUARANTINE.check(read)
    assert_frame_equal(read, rows(rejected(), rejected(row_id="2"), rejected(row_id="3")))


def test_rejected_rows_are_sorted_and_limited(engine: sa.Engine) -> None:
    log = SqlQuarantineLog(engine)
    wanted = rows(
        rejected(row_id="e", symbol="", ts=None, session=None),
        rejected(row_id="d", symbol="AAPL", ts=None, session=None),
        rejected(row_id="c", symbol="AAPL", ts=None),
        rejected(row_id="b", symbol="AAPL"),
        rejected(row_id="a", symbol="b"),
    )
    log.add(wanted)
    assert_frame_equal(log.read(), wanted)
    assert_frame_equal(log.read(limit=2), wanted.head(2))
    assert log.read(sessions=(DAY, DAY))["row_id"].to_list() == ["c", "b", "a"]
    assert log.read(symbols=["b"], vendors=["yahoo"], timeframe=Timeframe.M1).height == 1
    assert log.read(timeframe=Timeframe.D1).is_empty()


def test_counts_are_of_open_rows(engine: sa.Engine) -> None:
    log = SqlQuarantineLog(engine)
    log.add(
        rows(
            rejected(),
            rejected(row_id="2"),
            rejected(row_id="3", stage="curate", reasons="drift"),
            rejected(row_id="4", vendor="lean"),
            rejected(row_id="5", timeframe="1d"),
            rejected(row_id="6", session=date(2024, 7, 1)),
            rejected(row_id="7", session=None),
            rejected(row_id="8"),
        )
    )
    with writing(engine) as connection:
        connection.exec_driver_sql("update quarantine set status = 'replayed' where row_id = '8'")
    counts = log.counts(timeframe=Timeframe.M1, sessions=(DAY, DAY), vendors=["yahoo"])
    reasons = "high_below_low,not_positive"
    expected = pl.DataFrame(
        [
            ("yahoo", "AAPL", DAY, "curate", "drift", 1),
            ("yahoo", "AAPL", DAY, "fetch", reasons, 2),
        ],
        schema={
            "vendor": pl.String,
            "symbol": pl.String,
            "session": pl.Date,
            "stage": pl.String,
            "reasons": pl.String,
            "rows": pl.Int64,
        },
        orient="row",
    )
    assert_frame_equal(counts, expected)
    everyone = log.counts(timeframe=Timeframe.M1, sessions=(DAY, date(2024, 7, 1)))
    assert everyone["rows"].to_list() == [1, 1, 2, 1]
    assert log.counts(timeframe=Timeframe.H1, sessions=(DAY, DAY)).schema == expected.schema


def test_a_frame_of_another_shape_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(SchemaError, match="row_id"):
        SqlQuarantineLog(engine).add(rows(rejected()).drop("row_id"))


_QUARANTINE = """
import sys
import polars as pl
from datetime import UTC, datetime
from adapters.operations import SqlQuarantineLog, open_database
from market_data.schemas import QUARANTINE
log = SqlQuarantineLog(open_database(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
new = 0
for i in range(10):
    ids = pl.int_range(i * 100, i * 100 + 1000, eager=True).cast(pl.String)
    new += log.add(QUARANTINE.conform(pl.DataFrame({"row_id": ids}).with_columns(
        *(pl.lit("x").alias(c) for c in
          ("vendor", "timeframe", "symbol", "stage", "reasons", "row", "fetch_id")),
        seen_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)))))
print(new)
"""


def test_new_rows_are_counted_once_among_processes(url: str, start: Start) -> None:
    processes = [start(_QUARANTINE, url) for _ in range(3)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    total = 0
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert (errors, process.returncode) == ("", 0)
        total += int(output)
    assert total == 1900
    assert SqlQuarantineLog(open_database(url)).read().height == 1900


DECIDED = Annotation(
    created_at=NOON,
    author="ana",
    dataset="curated/bars_1d",
    symbol="AAPL",
    first_session=date(2024, 6, 3),
    last_session=date(2024, 6, 7),
    decision=Decision.PREFER_VENDOR,
    vendor="lean",
    reason="yahoo repeats Friday",
)


def test_decisions_come_back_in_order_and_by_what_they_concern(engine: sa.Engine) -> None:
    log = SqlAnnotations(engine)
    other = replace(DECIDED, symbol="SPY", decision=Decision.UNUSABLE, vendor="", dataset="d")
    first, second = log.add(DECIDED), log.add(other)
    assert second > first
    assert log.read() == [replace(DECIDED, id=first), replace(other, id=second)]
    assert [a.id for a in log.read(symbol="SPY")] == [second]
    assert [a.id for a in log.read(dataset="curated/bars_1d")] == [first]
    touching = (date(2024, 6, 7), date(2024, 6, 30))
    assert len(log.read(sessions=touching)) == 2
    assert log.read(sessions=(date(2024, 6, 8), date(2024, 6, 30))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"last_session": date(2024, 6, 2)},
        {"vendor": ""},
        {"decision": Decision.ACCEPT},
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"before|vendor"):
        replace(DECIDED, **wrong)  # type: ignore[arg-type]
