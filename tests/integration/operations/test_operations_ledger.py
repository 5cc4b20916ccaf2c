"""The ledger: its merge rule, its reads, several writers, a killed writer."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.operations import SqlLedger, open_database, reading, writing
from market_data.errors import SchemaError
from market_data.ports.operations import Ledger
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe
from tests.support.operations_file import open_new
from tests.support.warm_python import StartedPython

Start = Callable[..., StartedPython]
NOON = datetime(2024, 7, 1, 12, 0, 0, 123_457, tzinfo=UTC)
ANSWERS = ("rows", "nothing", "holiday", "unavailable")
OUTCOMES = (*ANSWERS, "refused", "failed")


def entry(**changes: object) -> dict[str, object]:
    return {
        "vendor": "yahoo",
        "timeframe": "1d",
        "symbol": "AAPL",
        "session": date(2024, 6, 28),
        "outcome": "rows",
        "rows": 1,
        "final": True,
        "detail": "",
        "asked_at": NOON,
        "fetch_id": "f1",
        **changes,
    }


def frame(*entries: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(entries), schema=LEDGER.dtypes)


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_rows_come_back_as_they_were(engine: sa.Engine) -> None:
    ledger: Ledger = SqlLedger(engine)
    written = frame(
        entry(symbol="b", detail='it\'s 100 %s; "no" :x ?'),
        entry(symbol="B", asked_at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        entry(symbol="a-Ü", outcome="failed", final=False, rows=0),
        entry(vendor="lean", timeframe="1m", session=date(1998, 1, 2), rows=390),
    )
    ledger.record(written)
    read = ledger.read()
    LEDGER.check(read)
    assert_frame_equal(read, written.sort("vendor", "timeframe", "symbol", "session"))


def test_another_zone_is_stored_as_utc(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    zoned = frame(entry()).with_columns(pl.col("asked_at").dt.convert_time_zone("Asia/Tokyo"))
    ledger.record(zoned)
    assert ledger.read()["asked_at"].to_list() == [NOON]


def test_an_empty_frame_and_an_empty_ledger(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(LEDGER.empty())
    assert_frame_equal(ledger.read(), LEDGER.empty())
    spans = ledger.spans(timeframe=Timeframe.D1)
    assert spans.schema == {"symbol": pl.String, "first": pl.Date, "last": pl.Date}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("trouble", ["failed", "refused"])
def test_an_answer_outlives_later_trouble(tmp_path: Path, answer: str, trouble: str) -> None:
    ledger = SqlLedger(open_new(f"sqlite:///{tmp_path}/o.sqlite"))
    answered = frame(entry(outcome=answer, final=False))
    ledger.record(answered)
    ledger.record(frame(entry(outcome=trouble, asked_at=later(5), fetch_id="f2", rows=0)))
    assert_frame_equal(ledger.read(), answered)


def test_trouble_gives_way_to_an_answer_asked_before_it(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(frame(entry(outcome="failed", asked_at=later(5), fetch_id="f2")))
    ledger.record(frame(entry(outcome="nothing", rows=0, final=False)))
    assert_frame_equal(ledger.read(), frame(entry(outcome="nothing", rows=0, final=False)))


def test_the_answer_asked_later_stands_and_final_stays(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(frame(entry(rows=390, final=True)))
    newer = entry(rows=388, final=False, asked_at=later(1), fetch_id="f2")
    ledger.record(frame(newer))
    assert_frame_equal(ledger.read(), frame({**newer, "final": True}))
    ledger.record(frame(entry(rows=1, final=True, asked_at=later(-1), fetch_id="f0")))
    assert_frame_equal(ledger.read(), frame({**newer, "final": True}))


def test_what_a_clock_that_was_ahead_recorded_gives_way_and_is_final_no_more(
    engine: sa.Engine,
) -> None:
    ledger = SqlLedger(engine)
    year = later(60 * 24 * 365)
    days = [date(2024, 6, day) for day in (24, 25, 26, 27)]
    ahead = [entry(session=d, asked_at=year, fetch_id="z", outcome="nothing") for d in days]
    ledger.record(frame(*ahead[:3], entry(session=days[1], symbol="B", asked_at=year)))
    ledger.record(frame(entry(session=days[3], asked_at=later(-60))))
    given = [
        entry(session=days[0], outcome="rows", final=False),
        entry(session=days[2], outcome="failed", final=False),
        entry(session=days[3], outcome="nothing", final=False, asked_at=later(-90)),
    ]
    ledger.record(frame(*given), now=later(1))
    known = ledger.read(symbols=["AAPL"])
    assert known.select("outcome", "final").rows() == [
        ("rows", False),
        ("nothing", False),
        ("nothing", False),
        ("rows", True),
    ]
    assert known["asked_at"].max() <= NOON
    assert ledger.read(symbols=["B"]).select("asked_at", "final").row(0) == (year, True)


def test_clocks_that_are_minutes_apart_are_as_good_as_one_another(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(frame(entry(asked_at=later(4))))
    ledger.record(frame(entry(outcome="nothing", final=False)), now=NOON)
    assert ledger.read().select("outcome", "asked_at", "final").row(0) == ("rows", later(4), True)


def test_what_cannot_be_served_any_more_does_not_undo_what_came(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    came = entry(rows=388, final=False)
    ledger.record(frame(came))
    ledger.record(frame(entry(outcome="unavailable", rows=0, asked_at=later(1), fetch_id="f2")))
    assert_frame_equal(ledger.read(), frame({**came, "final": True}))


def test_unavailable_is_what_every_record_calls_so(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    day, other = date(2024, 6, 27), date(2024, 6, 28)
    gone = {"outcome": "unavailable", "rows": 0}
    ledger.record(
        frame(
            entry(symbol="A", session=day, **gone),
            entry(symbol="A", session=day, vendor="lean", timeframe="1m", **gone),
            entry(symbol="A", session=other, **gone),
            entry(symbol="A", session=other, vendor="lean", outcome="failed"),
            entry(symbol="B", session=day, **gone),
            entry(symbol="B", session=day, timeframe="1m"),
        )
    )

    def told(*timeframes: str, vendors: tuple[str, ...] = ("yahoo", "lean")) -> list[tuple]:
        times = [Timeframe(t) for t in timeframes]
        found = ledger.unavailable(timeframes=times, vendors=vendors, sessions=(day, other))
        return found.rows()

    assert told("1d", "1m") == [("A", day)]
    assert told("1d") == [("A", day), ("B", day)]
    assert told("1d", vendors=("yahoo",)) == [("A", day), ("A", other), ("B", day)]
    nothing = ledger.unavailable(
        timeframes=[Timeframe.D1], vendors=["yahoo"], sessions=(date(2000, 1, 3), date(2000, 1, 4))
    )
    assert nothing.schema == {"symbol": pl.String, "session": pl.Date}


def test_a_final_answer_that_arrives_late_makes_the_record_final(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    newer = entry(rows=388, final=False, asked_at=later(1), fetch_id="f2")
    ledger.record(frame(newer))
    ledger.record(frame(entry(rows=390, final=True)))
    assert_frame_equal(ledger.read(), frame({**newer, "final": True}))


def test_one_fetch_may_correct_itself(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(frame(entry(rows=10), entry(rows=20)))
    assert ledger.read()["rows"].to_list() == [20]
    ledger.record(frame(entry(rows=30)))
    assert ledger.read()["rows"].to_list() == [30]


@pytest.mark.parametrize(
    "wrong",
    [
        frame(entry(outcome="not asked")),
        frame(entry(outcome="great")),
        frame(entry(fetch_id=None)),
        frame(entry()).drop("rows"),
    ],
)
def test_a_wrong_frame_is_refused_whole(tmp_path: Path, wrong: pl.DataFrame) -> None:
    ledger = SqlLedger(open_new(f"sqlite:///{tmp_path}/o.sqlite"))
    with pytest.raises(SchemaError):
        ledger.record(wrong)
    assert ledger.read().is_empty()


def test_filters(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    days = [date(2024, 6, d) for d in (26, 27, 28)]
    written = frame(
        *(
            entry(vendor=vendor, timeframe=timeframe, symbol=symbol, session=day)
            for vendor in ("lean", "oanda", "yahoo")
            for timeframe in ("1d", "1m")
            for symbol in ("AAPL", "IBM", "SPY")
            for day in days
        )
    )
    ledger.record(written)
    read = ledger.read(
        timeframe=Timeframe.M1,
        vendors=["yahoo", "lean"],
        symbols=["SPY", "IBM", "none"],
        sessions=(days[1], days[2]),
    )
    expected = written.filter(
        pl.col("timeframe") == "1m",
        pl.col("vendor") != "oanda",
        pl.col("symbol") != "AAPL",
        pl.col("session") >= days[1],
    )
    assert_frame_equal(read, expected)
    assert ledger.read(symbols=[]).is_empty()
    assert ledger.read(vendors=["' or 1=1 --"]).is_empty()


def test_any_number_of_symbols(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(frame(*(entry(symbol=f"S{i}") for i in range(100))))
    assert ledger.read(symbols=[f"S{i}" for i in range(100_000)]).height == 100


def test_spans(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.record(
        frame(
            entry(session=date(2024, 6, 27)),
            entry(session=date(2024, 6, 3), outcome="failed"),
            entry(session=date(2024, 7, 5), vendor="lean"),
            entry(session=date(1999, 1, 4), timeframe="1m"),
            entry(symbol="SPY"),
        )
    )
    expected = {
        "symbol": ["AAPL", "SPY"],
        "first": [date(2024, 6, 3), date(2024, 6, 28)],
        "last": [date(2024, 7, 5), date(2024, 6, 28)],
    }
    assert ledger.spans(timeframe=Timeframe.D1).to_dict(as_series=False) == expected
    of_yahoo = ledger.spans(timeframe=Timeframe.D1, vendors=["yahoo"])
    assert of_yahoo["last"].to_list() == [date(2024, 6, 27), date(2024, 6, 28)]


records = st.lists(
    st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.integers(0, 400)),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> SqlLedger:
    return SqlLedger(open_new(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/o.sqlite"))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), drawn=records)
def test_the_order_of_arrival_does_not_matter(
    shared_ledger: SqlLedger, data: st.DataObject, drawn: list[tuple[str, bool, int]]
) -> None:
    entries = [
        entry(outcome=outcome, final=final, rows=rows, asked_at=later(i), fetch_id=f"f{i}")
        for i, (outcome, final, rows) in enumerate(drawn)
    ]
    shuffled = data.draw(st.permutations(entries))
    cut = data.draw(st.integers(0, len(shuffled)))
    with writing(shared_ledger._engine) as connection:
        connection.exec_driver_sql("delete from ledger")
    shared_ledger.record(frame(*shuffled[:cut]))
    shared_ledger.record(frame(*shuffled[cut:]))

    answers = [e for e in entries if e["outcome"] in ANSWERS]
    spoken = [e for e in answers if e["outcome"] != "unavailable"]
    stands = dict((spoken or answers or entries)[-1])
    if answers:
        stands["final"] = any(e["final"] for e in answers)
    assert_frame_equal(shared_ledger.read(), frame(stands))


_RECORD = """
import sys
from datetime import UTC, date, datetime, timedelta
import polars as pl
from adapters.operations import SqlLedger, open_database
from market_data.schemas import LEDGER
url, number, size, times = sys.argv[1], *map(int, sys.argv[2:])
ledger = SqlLedger(open_database(url))
last = pl.date(1970, 1, 1) + pl.duration(days=size - 1)
rows = pl.select(session=pl.date_range(date(1970, 1, 1), last))
print("ready", flush=True)
sys.stdin.readline()
for i in range(times):
    asked_at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * i + number)
    ledger.record(LEDGER.conform(rows.with_columns(
        vendor=pl.lit("v"), timeframe=pl.lit("1d"), symbol=pl.lit("S"),
        outcome=pl.lit("rows") if number % 2 else pl.lit("failed"), rows=pl.lit(i),
        final=pl.lit(False), detail=pl.lit(""), asked_at=pl.lit(asked_at),
        fetch_id=pl.lit(f"{number}-{i}"))))
    print("recorded", i, flush=True)
"""


def _go(process: StartedPython) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def _ready(process: StartedPython) -> None:
    assert process.stdout
    assert process.stdout.readline() == "ready\n", process.communicate()[1]


def test_four_processes_record_at_once(url: str, start: Start) -> None:
    processes = [start(_RECORD, url, str(n), "2000", "10") for n in range(4)]
    for process in processes:
        _ready(process)
    for process in processes:
        _go(process)
    for process in processes:
        _, errors = process.communicate(timeout=200)
        assert (process.returncode, errors) == (0, "")
    read = SqlLedger(open_database(url)).read()
    assert read.height == 2000
    # The newest answer is the last one of process 3; that of 2 was asked earlier, though it may
    # have been written later, and 0 and 2 only ever failed.
    assert read["fetch_id"].unique().to_list() == ["3-9"]
    assert read["outcome"].unique().to_list() == ["rows"]


def test_a_killed_writer_leaves_one_state_or_the_other(url: str, start: Start) -> None:
    size = 100_000
    victim = start(_RECORD, url, "1", str(size), "1000")
    _ready(victim)
    _go(victim)
    assert victim.stdout and victim.stdout.readline() == "recorded 0\n"
    time.sleep(0.4)  # in the middle of the next one, which takes longer
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    engine = open_database(url)
    ledger = SqlLedger(engine)
    read = ledger.read()
    assert read.height == size
    assert read["fetch_id"].n_unique() == 1
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            assert connection.exec_driver_sql("pragma integrity_check").scalar() == "ok"
    ledger.record(frame(entry()))
    assert ledger.read(symbols=["AAPL"]).height == 1
    engine.dispose()


def test_tens_of_thousands_of_rows(engine: sa.Engine) -> None:
    days = pl.select(
        session=pl.date_range(date(2010, 1, 1), pl.date(2010, 1, 1) + pl.duration(days=299))
    )
    symbols = pl.DataFrame({"symbol": [f"S{i:03d}" for i in range(100)]})
    rows = LEDGER.conform(
        frame(entry()).drop("symbol", "session").join(symbols, how="cross").join(days, how="cross")
    )
    ledger = SqlLedger(engine)
    steps: dict[str, Callable[[], object]] = {
        "first record": lambda: ledger.record(rows),
        "same again": lambda: ledger.record(rows),
        "read": ledger.read,
        "read one of 100 symbols": lambda: ledger.read(timeframe=Timeframe.D1, symbols=["S050"]),
        "read one of 300 sessions": lambda: ledger.read(
            timeframe=Timeframe.D1, sessions=(date(2010, 2, 2), date(2010, 2, 2))
        ),
        "spans": lambda: ledger.spans(timeframe=Timeframe.D1),
        "unavailable in a year": lambda: ledger.unavailable(
            timeframes=[Timeframe.D1],
            vendors=["yahoo", "lean"],
            sessions=(date(2010, 1, 1), date(2010, 12, 31)),
        ),
    }
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        print(f"{engine.dialect.name}: {name}: {time.perf_counter() - started:.3f} s")
    assert_frame_equal(ledger.read(), rows.sort("symbol", "session"))
