"""What every RawLog promises, for any adapter.

What belongs here: one test per promise of `market_data.ports.RawLog`. An adapter's test file
subclasses `RawLogSuite` and gives the fixture `new_log`, which makes an empty log.
What does not: the rules of revisions themselves (tests of market_data/revisions.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market_data.datasets import Dataset, raw_bars
from market_data.errors import SchemaError
from market_data.ports import Appended, RawLog
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe

# One suite is run for several adapters in one process: each class is an executor of its own.
SUPPRESSED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.differing_executors,
]
M1, D1 = raw_bars("yahoo", Timeframe.M1), raw_bars("yahoo", Timeframe.D1)
DAYS = [date(2023, 12, 29), date(2024, 1, 2), date(2024, 2, 1)]
SYMBOLS = ["AAPL", "MSFT"]
START = datetime(2024, 3, 1, tzinfo=UTC)

Bar = tuple[str, date, int, float]


def fetch(number: int, bars: list[Bar]) -> pl.DataFrame:
    """Rows of one fetch, an hour after the fetch before; a bar is symbol, session, minute, close.

    The bars count as known a minute after they began, as at a first sight.
    """
    rows = [
        {
            "symbol": symbol,
            "ts": datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
            + timedelta(minutes=minute),
            "session": day,
            "close": close,
        }
        for symbol, day, minute, close in bars
    ]
    schema = {name: RAW_BARS.dtypes[name] for name in ("symbol", "ts", "session", "close")}
    price = pl.col("close")
    return RAW_BARS.conform(
        pl.DataFrame(rows, schema=schema).with_columns(
            open=price,
            high=price,
            low=price,
            vendor=pl.lit("yahoo"),
            vendor_symbol=pl.col("symbol"),
            basis=pl.lit("trade"),
            known_at=pl.col("ts") + timedelta(minutes=1),
            fetched_at=pl.lit(START + timedelta(hours=number)).cast(RAW_BARS.dtypes["fetched_at"]),
            fetch_id=pl.lit(f"f{number:03d}"),
        )
    )


def everything(close: float = 1.0) -> list[Bar]:
    """Two bars of every symbol in every session."""
    return [(s, day, minute, close) for s in SYMBOLS for day in DAYS for minute in (0, 1)]


def closes(frame: pl.DataFrame) -> list[float]:
    """The closes in the order of the rows."""
    return frame["close"].to_list()


class RawLogSuite:
    """Subclass with a fixture `new_log`."""

    @pytest.fixture
    def log(self, new_log: Callable[[], RawLog]) -> RawLog:
        return new_log()

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_a_first_fetch_is_kept_as_it_came(self, log: RawLog, dataset: Dataset) -> None:
        frame = fetch(0, everything())
        assert log.append(dataset, frame.reverse()) == Appended(new=12, revised=0)
        expected = frame.sort("symbol", "ts")
        assert_frame_equal(log.read(dataset), expected)
        assert_frame_equal(log.revisions(dataset), expected)

    def test_an_absent_log_is_empty_with_the_right_columns(self, log: RawLog) -> None:
        assert_frame_equal(log.read(M1), RAW_BARS.empty())
        assert_frame_equal(log.revisions(M1, symbols=["AAPL"]), RAW_BARS.empty())
        assert log.append(M1, RAW_BARS.empty()) == Appended(0, 0)

    def test_the_same_fetch_again_appends_nothing(self, log: RawLog) -> None:
        log.append(M1, fetch(0, everything()))
        assert log.append(M1, fetch(0, everything()[::-1])) == Appended(0, 0)
        assert log.revisions(M1).height == 12

    def test_a_later_fetch_that_says_the_same_appends_nothing(self, log: RawLog) -> None:
        log.append(M1, fetch(0, everything()))
        assert log.append(M1, fetch(1, everything())) == Appended(0, 0)
        assert log.read(M1)["fetch_id"].unique().to_list() == ["f000"]

    def test_what_differs_is_a_revision_known_when_fetched(self, log: RawLog) -> None:
        log.append(M1, fetch(0, everything()))
        bars = everything()
        bars[3] = (*bars[3][:3], 2.0)
        revision = fetch(1, bars)
        assert log.append(M1, revision) == Appended(new=1, revised=1)
        (row,) = log.read(M1).filter(pl.col("close") == 2.0).iter_rows(named=True)
        assert row["known_at"] == row["fetched_at"] == START + timedelta(hours=1)
        assert log.read(M1).height == 12
        history = log.revisions(M1).filter(pl.col("ts") == row["ts"], pl.col("symbol") == "AAPL")
        assert closes(history) == [1.0, 2.0]

    def test_a_value_that_comes_back_is_a_revision_too(self, log: RawLog) -> None:
        for number, close in enumerate([1.0, 2.0, 1.0]):
            log.append(M1, fetch(number, [("AAPL", DAYS[1], 0, close)]))
        assert closes(log.revisions(M1)) == [1.0, 2.0, 1.0]
        assert closes(log.read(M1)) == [1.0]

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_sessions_that_were_told_again_are_counted(self, log: RawLog, dataset: Dataset) -> None:
        assert log.told_again(dataset).is_empty()
        log.append(dataset, fetch(0, everything()))
        told = log.told_again(dataset, symbols=["AAPL"], sessions=(DAYS[1], DAYS[2]))
        assert told.rows() == [("AAPL", DAYS[1], 2, 0), ("AAPL", DAYS[2], 2, 0)]
        log.append(dataset, fetch(1, [("AAPL", DAYS[2], 1, 2.0), ("MSFT", DAYS[0], 0, 2.0)]))
        log.append(dataset, fetch(2, [("AAPL", DAYS[2], 1, 3.0)]))
        again = log.told_again(dataset).filter(pl.col("again") > 0)
        assert again.rows() == [("AAPL", DAYS[2], 4, 2), ("MSFT", DAYS[0], 3, 1)]

    def test_a_bar_that_comes_late_was_not_known_before(self, log: RawLog) -> None:
        log.append(M1, fetch(0, [("AAPL", DAYS[1], 0, 1.0)]))
        late = fetch(1, [("AAPL", DAYS[1], 0, 1.0), ("AAPL", DAYS[1], 1, 1.0)])
        assert log.append(M1, late) == Appended(new=1, revised=0)
        assert log.read(M1)["known_at"].to_list()[1] == START + timedelta(hours=1)
        fresh = fetch(2, [("AAPL", DAYS[2], 0, 1.0)])
        log.append(M1, fresh)
        assert log.read(M1)["known_at"].to_list()[2] == fresh["known_at"][0]

    def test_a_bar_is_late_after_an_answer_that_lacked_it(self, log: RawLog) -> None:
        seen = pl.DataFrame(
            {"symbol": ["AAPL"], "session": [DAYS[1]], "asked_at": [START]},
            schema_overrides={"asked_at": RAW_BARS.dtypes["fetched_at"]},
        )
        incoming = fetch(1, [("AAPL", DAYS[1], 0, 1.0), ("AAPL", DAYS[2], 0, 1.0)])
        assert log.append(M1, incoming, seen=seen) == Appended(new=2, revised=0)
        late, first_sight = log.read(M1)["known_at"]
        assert late == START + timedelta(hours=1)
        assert first_sight == incoming["known_at"][1]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_the_order_of_appends_does_not_change_what_was_known(
        self, log: RawLog, order: tuple[int, ...]
    ) -> None:
        for number in order:
            log.append(M1, fetch(number, [("AAPL", DAYS[1], 0, float(number))]))
        told = [log.read(M1, known_at=START + timedelta(hours=h)) for h in (-1, 0.9, 1, 2)]
        assert [closes(frame) for frame in told] == [[0.0], [0.0], [1.0], [2.0]]
        assert log.read(M1)["known_at"].to_list() == [START + timedelta(hours=2)]

    def test_slices_of_one_fetch_do_not_revise_each_other(self, log: RawLog) -> None:
        first = [("AAPL", DAYS[1], minute, 1.0) for minute in range(3)]
        second = [("AAPL", DAYS[1], minute, 1.0) for minute in range(3, 6)]
        assert log.append(M1, fetch(0, first)) == Appended(3, 0)
        assert log.append(M1, fetch(0, second)) == Appended(3, 0)
        got = log.read(M1)
        assert got.height == 6
        assert_frame_equal(got, fetch(0, first + second))
        assert log.append(M1, fetch(0, first)) == Appended(0, 0)
        assert log.append(M1, fetch(0, second)) == Appended(0, 0)

    def test_a_fetch_that_contradicts_itself_is_kept_as_it_spoke(self, log: RawLog) -> None:
        twice = [("AAPL", DAYS[1], 0, 1.0), ("AAPL", DAYS[1], 0, 2.0)]
        assert log.append(M1, fetch(0, twice)).new == 2
        assert sorted(closes(log.read(M1))) == [1.0, 2.0]
        assert log.append(M1, fetch(1, twice[::-1])) == Appended(0, 0)
        log.append(M1, fetch(2, twice[:1]))
        assert closes(log.read(M1)) == [1.0]

    def test_contradictions_come_in_one_order_whatever_landed_before(
        self, new_log: Callable[[], RawLog]
    ) -> None:
        twice = [("MSFT", DAYS[1], m, close) for m in range(60) for close in (2.0, 1.0)]
        other = [("AAPL", DAYS[1], m, 1.0) for m in range(60)]
        told = []
        for parts in ([twice, other], [other, twice]):
            log = new_log()
            for bars in parts:
                log.append(M1, fetch(0, bars))
            told.append(log.revisions(M1))
        assert_frame_equal(*told)
        assert closes(told[0].tail(4)) == [1.0, 2.0] * 2

    def test_read_as_of_a_time(self, log: RawLog) -> None:
        for number, close in enumerate([1.0, 2.0, 3.0]):
            log.append(M1, fetch(number, [("AAPL", DAYS[1], 0, close)]))
        known = [log.read(M1, known_at=START + timedelta(hours=h)) for h in (-100, 0, 1, 1.5, 9)]
        assert [closes(frame) for frame in known] == [[1.0], [1.0], [2.0], [2.0], [3.0]]
        before = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
        assert log.read(M1, known_at=before).is_empty()

    def test_symbols_and_sessions(self, log: RawLog) -> None:
        log.append(M1, fetch(0, everything()))
        for read in (log.read, log.revisions):
            got = read(M1, symbols=["MSFT", "TSLA"], sessions=(DAYS[1], DAYS[2]))
            assert got["symbol"].unique().to_list() == ["MSFT"]
            assert got["session"].to_list() == [DAYS[1]] * 2 + [DAYS[2]] * 2
            assert read(M1, symbols=[]).is_empty()

    def test_vendors_do_not_meet(self, log: RawLog) -> None:
        log.append(M1, fetch(0, everything()))
        other = raw_bars("oanda", Timeframe.M1)
        assert log.append(other, fetch(0, everything())) == Appended(12, 0)

    def test_refused_frames_append_nothing(self, log: RawLog) -> None:
        frame = fetch(0, everything())
        for wrong in (
            frame.drop("close"),
            frame.with_columns(close=pl.lit(None, dtype=pl.Float64)),
            pl.concat([frame, fetch(1, everything(2.0))]),
        ):
            with pytest.raises(SchemaError):
                log.append(M1, wrong)
        assert log.read(M1).is_empty()

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=SUPPRESSED,
    )
    @given(data=st.data())
    def test_any_history_of_fetches_reads_like_a_dictionary_and_never_loses_a_row(
        self, new_log: Callable[[], RawLog], data: st.DataObject
    ) -> None:
        log, model, kept = new_log(), dict[tuple[str, date, int], float](), 0
        keys = [bar[:3] for bar in everything()]
        for number in range(data.draw(st.integers(1, 6))):
            chosen = data.draw(st.lists(st.sampled_from(keys), unique=True))
            bars = [(*key, data.draw(st.sampled_from([1.0, 2.0]))) for key in chosen]
            differs = {bar[:3]: bar[3] for bar in bars if model.get(bar[:3]) != bar[3]}
            appended = log.append(D1, fetch(number, bars))
            assert appended == Appended(len(differs), sum(key in model for key in differs))
            model |= differs
            kept += len(differs)
        got = log.read(D1)
        expected = fetch(0, [(*key, close) for key, close in model.items()]).sort("symbol", "ts")
        columns = ["symbol", "ts", "session", "close"]
        assert_frame_equal(got.select(columns), expected.select(columns))
        history = log.revisions(D1)
        assert history.height == kept
        assert_frame_equal(history, history.sort("symbol", "ts", "fetched_at"))
