"""What every BarStore promises, for any adapter.

What belongs here: one test per promise of `market_data.ports.BarStore`. An adapter's test file
subclasses `BarStoreSuite` and gives the fixture `new_store`, which makes an empty store.
What does not: what only one engine has (versions, files, locks).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Barrier
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market_data.datasets import (
    FEATURES,
    FLAGS_DATASET,
    PREDICTIONS_DATASET,
    REGIME_STATS_DATASET,
    SCORES_DATASET,
    Dataset,
    curated_bars,
)
from market_data.errors import SchemaError, SessionConflictError, SliceChangedError
from market_data.ports import BarStore
from market_data.timeframes import Timeframe

# One suite is run for several adapters in one process: each class is an executor of its own.
SUPPRESSED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.differing_executors,
]
M1, D1 = curated_bars(Timeframe.M1), curated_bars(Timeframe.D1)
SESSIONS = [date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 31), date(2024, 2, 1)]
SYMBOLS = ["AAPL", "EURUSD", "msft", "Ω"]
ALL = (date(2023, 1, 1), date(2025, 1, 1))

Key = tuple[str, date, int]


def bars(values: dict[Key, float], dataset: Dataset = M1) -> pl.DataFrame:
    """Rows of curated bars; the key is (symbol, session, minute of the session)."""
    rows = [
        {
            "symbol": symbol,
            "ts": datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
            + timedelta(minutes=minute),
            "session": day,
            "close": value,
        }
        for (symbol, day, minute), value in values.items()
    ]
    frame = pl.DataFrame(
        rows,
        schema={n: dataset.schema.dtypes[n] for n in ("symbol", "ts", "session", "close")},
    )
    price, text = pl.col("close"), pl.lit("")
    return dataset.schema.conform(
        frame.with_columns(
            open=price, high=price, low=price, source=pl.lit("yahoo"), filled=text, flags=text,
            final=pl.lit(value=True), dq_status=pl.lit("ok"), rule_version=pl.lit("1"),
        )
    )  # fmt: skip


def grid(value: float = 1.0, minutes: int = 2, dataset: Dataset = M1) -> pl.DataFrame:
    """Every symbol in every session."""
    keys = [(s, day, m) for s in SYMBOLS for day in SESSIONS for m in range(minutes)]
    return bars(dict.fromkeys(keys, value), dataset)


def scores(values: dict[tuple[str, date, str], float]) -> pl.DataFrame:
    """Rows of quality scores; the key is (symbol, session, dataset)."""
    filler: dict[type, Any] = {pl.Int64: 1, pl.Float64: 0.5, pl.String: "x"}
    rows = [
        {c.name: filler.get(type(c.dtype)) for c in SCORES_DATASET.schema.columns}
        | {"symbol": symbol, "session": day, "dataset": name, "score": value}
        for (symbol, day, name), value in values.items()
    ]
    return pl.DataFrame(rows, schema=SCORES_DATASET.schema.dtypes)


def features(dataset: Dataset) -> pl.DataFrame:
    """Two rows of every symbol and session; every other row has empty cells where it may."""
    frame = grid().with_columns(available_at="ts", number=pl.int_range(pl.len()))
    values = {pl.Float64(): 0.1 * pl.col("number"), pl.Int64(): pl.col("number")}
    values |= {pl.String(): pl.format("x{}", "number"), M1.schema.dtypes["ts"]: pl.col("ts")}
    known = ("symbol", "ts", "session", "available_at")
    cells = {
        c.name: pl.when(~(pl.lit(c.nullable) & (pl.col("number") % 2 == 0))).then(values[c.dtype])
        for c in dataset.schema.columns
        if c.name not in known
    }
    return dataset.schema.conform(frame.with_columns(**cells))


DAY_BEFORE = -24 * 60
"""As a minute of a session: the bar starts when the first one of the date before does."""


def put(store: BarStore, frame: pl.DataFrame, dataset: Dataset = M1) -> int:
    """Fill an empty store."""
    return store.replace(dataset, frame, sessions=ALL, symbols=SYMBOLS)


def keys_of(frame: pl.DataFrame) -> list[tuple[str, date, int]]:
    """(symbol, session, minute) of each row, in order."""
    minute = (pl.col("ts").dt.hour().cast(pl.Int32) - 14) * 60 + pl.col("ts").dt.minute() - 30
    return frame.select("symbol", "session", minute).rows()


class BarStoreSuite:
    """Subclass with a fixture `new_store`."""

    @pytest.fixture
    def store(self, new_store: Callable[[], BarStore]) -> BarStore:
        return new_store()

    # --- replace -------------------------------------------------------------------------------

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_written_rows_come_back_sorted(self, store: BarStore, dataset: Dataset) -> None:
        frame = grid(dataset=dataset)
        assert put(store, frame.sample(fraction=1.0, shuffle=True, seed=1), dataset) == 32
        assert_frame_equal(store.scan(dataset), frame.sort("symbol", "ts"))

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_slice_holds_exactly_the_new_rows(self, store: BarStore, dataset: Dataset) -> None:
        put(store, grid(dataset=dataset), dataset)
        day = SESSIONS[2]
        new = bars({("AAPL", day, 1): 5.0, ("AAPL", day, 9): 6.0}, dataset)
        held = store.replace(dataset, new, sessions=(day, day), symbols=["AAPL", "msft"])
        assert held == 2
        outside = (pl.col("session") != day) | ~pl.col("symbol").is_in(["AAPL", "msft"])
        expected = pl.concat([grid(dataset=dataset).filter(outside), new]).sort("symbol", "ts")
        assert_frame_equal(store.scan(dataset), expected)

    def test_both_ends_of_the_slice_belong_to_it(self, store: BarStore) -> None:
        put(store, grid())
        none = M1.schema.empty()
        assert store.replace(M1, none, sessions=(SESSIONS[1], SESSIONS[2]), symbols=SYMBOLS) == 0
        assert sorted(store.scan(M1)["session"].unique()) == [SESSIONS[0], SESSIONS[3]]

    def test_slice_may_span_years_and_hold_rows_in_some(self, store: BarStore) -> None:
        put(store, grid())
        only = bars({("AAPL", SESSIONS[0], 0): 7.0})
        put(store, only)
        assert_frame_equal(store.scan(M1), only)

    def test_empty_slice_of_an_absent_dataset(self, store: BarStore) -> None:
        assert put(store, M1.schema.empty()) == 0
        assert store.replace(M1, M1.schema.empty(), sessions=ALL, symbols=[]) == 0
        assert store.scan(M1).is_empty()

    def test_the_same_frame_twice(self, store: BarStore) -> None:
        put(store, grid())
        assert put(store, grid().reverse()) == 32
        assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))

    def test_nulls_and_not_a_number_survive(self, store: BarStore) -> None:
        frame = grid().with_columns(
            volume=pl.when(pl.col("symbol") == "AAPL").then(None).otherwise(float("nan")),
            trades=pl.lit(None, dtype=pl.Int64),
        )
        put(store, frame)
        assert_frame_equal(store.scan(M1), frame.sort("symbol", "ts"))

    def test_datasets_do_not_meet(self, store: BarStore) -> None:
        put(store, grid(), M1)
        put(store, grid(2.0, dataset=D1), D1)
        put(store, M1.schema.empty(), M1)
        assert store.scan(M1).is_empty()
        assert_frame_equal(store.scan(D1), grid(2.0, dataset=D1).sort("symbol", "ts"))

    @pytest.mark.parametrize(
        "frame",
        [
            pytest.param(grid().drop("close"), id="column missing"),
            pytest.param(grid().with_columns(extra=pl.lit(1)), id="column too many"),
            pytest.param(grid().with_columns(pl.col("close").cast(pl.Int64)), id="wrong type"),
            pytest.param(
                grid().with_columns(pl.col("ts").dt.convert_time_zone("Asia/Tokyo")), id="zone"
            ),
            pytest.param(
                grid().with_columns(close=pl.lit(None, dtype=pl.Float64)), id="empty cells"
            ),
            pytest.param(bars({("AAPL", date(2024, 1, 3), 0): 1.0}), id="session after"),
            pytest.param(bars({("AAPL", date(2023, 12, 28), 0): 1.0}), id="session before"),
            pytest.param(bars({("TSLA", SESSIONS[1], 0): 1.0}), id="symbol outside"),
            pytest.param(
                pl.concat([bars({("AAPL", SESSIONS[1], 0): v}) for v in (1.0, 2.0)]), id="key twice"
            ),
            pytest.param(
                pl.concat([bars({("AAPL", SESSIONS[1], 0): 1.0})] * 2), id="row twice"
            ),
        ],
    )  # fmt: skip
    def test_refused_frames_change_nothing(self, store: BarStore, frame: pl.DataFrame) -> None:
        put(store, grid())
        with pytest.raises(SchemaError):
            store.replace(M1, frame, sessions=(SESSIONS[0], SESSIONS[1]), symbols=SYMBOLS)
        assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))

    def test_refuses_a_slice_that_ends_before_it_begins(self, store: BarStore) -> None:
        with pytest.raises(SchemaError, match="before it begins"):
            store.replace(
                M1, M1.schema.empty(), sessions=(SESSIONS[1], SESSIONS[0]), symbols=SYMBOLS
            )

    def test_dataset_without_ts(self, store: BarStore) -> None:
        name, other = "curated/bars_1d", "curated/bars_1m"
        day, next_day = SESSIONS[1], SESSIONS[2]
        frame = scores(
            {("B", day, name): 0.1, ("A", next_day, other): 0.2, ("A", next_day, name): 0.3}
        )
        assert store.replace(SCORES_DATASET, frame, sessions=ALL, symbols=["A", "B"]) == 3
        got = store.scan(SCORES_DATASET)
        assert_frame_equal(got, frame.sort("symbol", "session", "dataset"))
        assert store.scan(SCORES_DATASET, start=next_day)["symbol"].to_list() == ["A", "A"]
        assert store.scan(SCORES_DATASET, end=next_day)["symbol"].to_list() == ["B"]
        noon = datetime(2024, 1, 31, 12, tzinfo=UTC)
        assert store.scan(SCORES_DATASET, start=noon)["symbol"].to_list() == ["A", "A"]
        assert store.latest(SCORES_DATASET, rows=2)["score"].to_list() == [0.3, 0.2, 0.1]
        twice = pl.concat([frame, frame.head(1)])
        with pytest.raises(SchemaError):
            store.replace(SCORES_DATASET, twice, sessions=ALL, symbols=["A", "B"])

    def test_flags_of_single_bars(self, store: BarStore) -> None:
        """Two of one bar, the same bar in two sessions, and numbers of 64 bits."""
        start = datetime(2024, 1, 31, 14, 30, tzinfo=UTC)
        rows = [
            {"symbol": "A", "session": day, "bar": start, "code": code, "digest": digest}
            for day, code, digest in (
                (SESSIONS[2], "jump", -(2**63)),
                (SESSIONS[2], "Wick", 2**63 - 1),
                (SESSIONS[3], "jump", 0),
            )
        ]
        texts = {n: pl.lit("x") for n, t in FLAGS_DATASET.schema.dtypes.items() if t == pl.String}
        given = pl.DataFrame(rows).with_columns(found_at=pl.lit(start))
        frame = FLAGS_DATASET.schema.conform(
            given.with_columns(**{n: t for n, t in texts.items() if n not in given.columns})
        )
        assert store.replace(FLAGS_DATASET, frame, sessions=ALL, symbols=["A", "B"]) == 3
        ordered = frame.sort("symbol", "session", "dataset", "bar", "code")
        assert ordered["code"].to_list() == ["Wick", "jump", "jump"]
        assert_frame_equal(store.scan(FLAGS_DATASET), ordered)
        day = (SESSIONS[2], SESSIONS[2])
        assert_frame_equal(store.scan(FLAGS_DATASET, symbols=["A"], sessions=day), ordered.head(2))
        none = FLAGS_DATASET.schema.empty()
        store.replace(FLAGS_DATASET, none, sessions=day, symbols=["A"])
        assert_frame_equal(store.scan(FLAGS_DATASET), ordered.tail(1))

    def test_features_with_empty_cells(self, store: BarStore) -> None:
        """Every group has its table, with these columns; what has no value yet stays empty."""
        for dataset in (*FEATURES.values(), PREDICTIONS_DATASET, REGIME_STATS_DATASET):
            frame = features(dataset)
            put(store, frame.sample(fraction=1.0, shuffle=True, seed=1), dataset)
            assert_frame_equal(store.scan(dataset), frame.sort(dataset.sort))
        dataset = FEATURES["indicators_1d_v1"]
        found = store.scan(dataset, symbols=["AAPL"], columns=["ts", "rsi_14"])
        assert found["rsi_14"].null_count() == found.height // 2 > 0
        day = (SESSIONS[1], SESSIONS[2])
        store.replace(dataset, dataset.schema.empty(), sessions=day, symbols=["AAPL"])
        assert store.scan(dataset, symbols=["AAPL"])["session"].to_list() == [
            SESSIONS[0], SESSIONS[0], SESSIONS[3], SESSIONS[3],
        ]  # fmt: skip

    @pytest.mark.parametrize("days", [-3, 3, 7])
    def test_refuses_a_bar_days_away_from_its_session(self, store: BarStore, days: int) -> None:
        put(store, grid())
        day = SESSIONS[1]
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for away, fits in ((timedelta(days=days), False), (timedelta(hours=days * 23), days < 7)):
            bar = bars({("AAPL", day, 0): 2.0}).with_columns(
                ts=pl.lit(midnight + away, dtype=pl.Datetime("us", "UTC"))
            )
            if fits:
                store.replace(M1, bar, sessions=(day, day), symbols=["AAPL"])
                assert_frame_equal(store.scan(M1, symbols=["AAPL"], sessions=(day, day)), bar)
                continue
            with pytest.raises(SchemaError, match="days away"):
                store.replace(M1, bar, sessions=(day, day), symbols=["AAPL"])
            assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))

    @pytest.mark.parametrize("symbol", ["", "a\x00b", "a\x1fb", "\x1f"])
    def test_refuses_what_is_no_symbol(self, store: BarStore, symbol: str) -> None:
        day = SESSIONS[1]
        bar = bars({(symbol, day, 0): 1.0, ("AAPL", day, 0): 1.0})
        for frame in (bar, M1.schema.empty()):
            with pytest.raises(SchemaError, match="is no symbol"):
                store.replace(M1, frame, sessions=(day, day), symbols=["AAPL", symbol])
        assert store.scan(M1).is_empty()

    def test_the_widest_slices(self, store: BarStore) -> None:
        put(store, grid())
        with pytest.raises(SchemaError, match="at most 200 years"):
            store.replace(M1, grid(), sessions=(date.min, date.max), symbols=SYMBOLS)
        with pytest.raises(SchemaError, match="at most 200 years"):
            store.replace(D1, grid(), sessions=(date(1900, 1, 1), date(2100, 1, 1)), symbols=["A"])
        wide = (date(1900, 1, 1), date(2099, 12, 31))
        assert store.replace(D1, grid(dataset=D1), sessions=wide, symbols=SYMBOLS) == 32
        one = bars({("AAPL", SESSIONS[1], 0): 1.0})
        assert store.replace(M1, one, sessions=wide, symbols=SYMBOLS) == 1
        assert_frame_equal(store.scan(M1), one)

    # --- replace on a condition ----------------------------------------------------------------

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_what_changed_since_it_was_read_stays(self, store: BarStore, dataset: Dataset) -> None:
        slice_: dict[str, Any] = {"sessions": (SESSIONS[2], SESSIONS[2]), "symbols": ["AAPL"]}
        mine, other = (bars({("AAPL", SESSIONS[2], 0): price}, dataset) for price in (1.0, 2.0))
        for before in (dataset.schema.empty(), mine, grid(dataset=dataset)):
            put(store, before, dataset)
            seen = store.version(dataset, **slice_)
            store.replace(dataset, other, **slice_)
            held = store.scan(dataset)
            for new in (mine, other, dataset.schema.empty()):
                with pytest.raises(SliceChangedError, match=dataset.name):
                    store.replace(dataset, new, **slice_, unless_changed_since=seen)
            assert_frame_equal(store.scan(dataset), held)
            seen = store.version(dataset, **slice_)
            assert store.replace(dataset, other, **slice_, unless_changed_since=seen) == 1
            assert store.replace(dataset, mine, **slice_, unless_changed_since=seen) == 1
            assert_frame_equal(store.scan(dataset, **slice_), mine)

    def test_of_racing_writers_who_have_read_the_same_one_wins(self, store: BarStore) -> None:
        """Each puts a bar of its own in the place of what all have read."""
        day, writers, rounds = SESSIONS[1], 3, 6
        slice_: dict[str, Any] = {"sessions": (day, day), "symbols": ["AAPL"]}
        store.replace(M1, bars({("AAPL", day, 0): 0.0}), **slice_)
        together = Barrier(writers, timeout=60)

        def race(writer: int) -> list[int]:
            won = []
            for number in range(rounds):
                bar = bars({("AAPL", day, 1 + number * writers + writer): 1.0})
                seen = store.version(M1, **slice_)
                together.wait()
                with suppress(SliceChangedError):
                    store.replace(M1, bar, **slice_, unless_changed_since=seen)
                    won.append(number)
                together.wait()
                assert store.scan(M1, **slice_).height == 1
            return won

        with ThreadPoolExecutor(writers) as pool:
            won = [number for each in pool.map(race, range(writers)) for number in each]
        assert sorted(won) == list(range(rounds))

    # --- one bar, one session ------------------------------------------------------------------

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    @pytest.mark.parametrize("days", [(30, 31), (31, 30), (31, 32), (32, 31), (32, 33), (33, 31)])
    def test_a_bar_lies_in_one_session(
        self, store: BarStore, dataset: Dataset, days: tuple[int, int]
    ) -> None:
        """Also where a month lies between the sessions, and where others lie there."""
        old, new = (date(2024, 1, 1) + timedelta(days=day - 1) for day in days)
        there = {("AAPL", day, 0): 1.0 for day in (date(2024, 1, 15), date(2024, 2, 15), old)}
        held = bars(there | {("AAPL", old, 1): 2.0, ("msft", old, 0): 1.0}, dataset)
        put(store, held, dataset)
        version = store.version(dataset)
        minutes = (old - new).days * 24 * 60
        moved = bars({("AAPL", new, minutes): 5.0, ("TSLA", new, minutes): 5.0}, dataset)
        for symbols in (["AAPL", "TSLA"], ["AAPL", "TSLA", "msft"]):
            with pytest.raises(SessionConflictError, match="in one call") as told:
                store.replace(dataset, moved, sessions=(new, new), symbols=symbols)
            for word in ("AAPL", f"{old} 14:30:00+00:00", f"session {new}", f"session {old}"):
                assert word in str(told.value)
        assert_frame_equal(store.scan(dataset), held.sort("symbol", "ts"))
        assert store.version(dataset) == version
        # Another symbol's bar is another bar; and both sessions at once are the cure.
        tesla = moved.filter(pl.col("symbol") == "TSLA")
        store.replace(dataset, tesla, sessions=(new, new), symbols=["TSLA"])
        both = (min(old, new), max(old, new))
        store.replace(dataset, moved, sessions=both, symbols=["AAPL", "TSLA"])
        got = store.scan(dataset, symbols=["AAPL", "TSLA"], sessions=both)
        assert_frame_equal(got, moved.sort("symbol", "ts"))

    def test_of_two_writers_of_one_bar_in_two_sessions_one_wins(self, store: BarStore) -> None:
        """In two months, which nothing but the bar has in common."""
        frames = {
            SESSIONS[2]: bars({("AAPL", SESSIONS[2], 0): 1.0}),
            SESSIONS[3]: bars({("AAPL", SESSIONS[3], DAY_BEFORE): 2.0}),
        }
        start = Barrier(len(frames))

        def write(day: date) -> int:
            start.wait(30)
            with suppress(SessionConflictError):
                return store.replace(M1, frames[day], sessions=(day, day), symbols=["AAPL"])
            return 0

        for _ in range(5):
            put(store, M1.schema.empty())
            with ThreadPoolExecutor(len(frames)) as pool:
                assert sum(pool.map(write, frames)) == 1
            assert store.scan(M1).height == 1

    # --- scan ----------------------------------------------------------------------------------

    def test_absent_dataset_is_an_empty_frame_with_the_right_columns(self, store: BarStore) -> None:
        assert_frame_equal(store.scan(M1), M1.schema.empty())
        assert_frame_equal(store.latest(M1), M1.schema.empty())
        got = store.scan(M1, columns=["close", "ts"])
        assert_frame_equal(got, M1.schema.empty().select("close", "ts"))

    def test_nothing_found_keeps_the_types(self, store: BarStore) -> None:
        put(store, grid())
        for got in (
            store.scan(M1, symbols=[]),
            store.scan(M1, symbols=["TSLA"]),
            store.scan(M1, start=date(2030, 1, 1)),
            store.scan(M1, sessions=(date(2024, 1, 3), date(2024, 1, 30))),
            store.latest(M1, symbols=["TSLA"]),
        ):
            assert_frame_equal(got, M1.schema.empty())

    def test_symbols(self, store: BarStore) -> None:
        put(store, grid())
        for wanted in (["msft"], ["Ω", "AAPL"], ["msft", "msft", "TSLA"]):
            expected = grid().filter(pl.col("symbol").is_in(wanted)).sort("symbol", "ts")
            assert_frame_equal(store.scan(M1, symbols=wanted), expected)

    def test_start_is_included_and_end_is_not(self, store: BarStore) -> None:
        put(store, grid(minutes=4))
        start = datetime(2024, 1, 2, 14, 31, tzinfo=UTC)
        end = datetime(2024, 1, 31, 14, 32, tzinfo=UTC)
        expected = [(SESSIONS[1], 1), (SESSIONS[1], 2), (SESSIONS[1], 3), (SESSIONS[2], 0),
                    (SESSIONS[2], 1)]  # fmt: skip
        got = store.scan(M1, symbols=["AAPL"], start=start, end=end)
        assert keys_of(got) == [("AAPL", *rest) for rest in expected]
        tokyo = timezone(timedelta(hours=9))
        same = store.scan(
            M1, symbols=["AAPL"], start=start.astimezone(tokyo), end=end.astimezone(tokyo)
        )
        assert_frame_equal(same, got)

    def test_a_date_is_its_midnight_in_utc(self, store: BarStore) -> None:
        put(store, grid())
        got = store.scan(M1, start=SESSIONS[1], end=SESSIONS[2])
        assert got["session"].unique().to_list() == [SESSIONS[1]]

    def test_refuses_a_time_without_a_zone(self, store: BarStore) -> None:
        put(store, grid())
        with pytest.raises(SchemaError, match="zone"):
            store.scan(M1, start=datetime(2024, 1, 2))  # noqa: DTZ001

    def test_a_bar_may_start_before_its_session_begins_by_date(self, store: BarStore) -> None:
        """An FX bar of Sunday night belongs to Monday, here to another month and year."""
        ts = datetime(2023, 12, 31, 22, 5, tzinfo=UTC)
        bar = bars({("EURUSD", date(2024, 1, 1), 0): 1.1}).with_columns(
            ts=pl.lit(ts, dtype=pl.Datetime("us", "UTC"))
        )
        put(store, bar)
        assert store.scan(M1, start=ts, end=ts + timedelta(minutes=1)).height == 1
        assert store.scan(M1, end=date(2024, 1, 1)).height == 1
        assert store.scan(M1, start=date(2024, 1, 1)).is_empty()
        assert store.scan(M1, sessions=(date(2024, 1, 1), date(2024, 1, 1))).height == 1

    def test_microseconds_are_kept_and_compared(self, store: BarStore) -> None:
        ts = datetime(2024, 1, 2, 14, 30, 0, 999_999, tzinfo=UTC)
        put(store, bars({("AAPL", SESSIONS[1], 0): 1.0}).with_columns(
            ts=pl.lit(ts, dtype=pl.Datetime("us", "UTC"))))  # fmt: skip
        assert store.scan(M1, start=ts)["ts"].to_list() == [ts]
        assert store.scan(M1, start=ts + timedelta(microseconds=1)).is_empty()

    def test_sessions_are_both_included(self, store: BarStore) -> None:
        put(store, grid())
        got = store.scan(M1, sessions=(SESSIONS[1], SESSIONS[2]))
        assert sorted(got["session"].unique()) == [SESSIONS[1], SESSIONS[2]]

    def test_the_widest_range_of_sessions_is_everything(self, store: BarStore) -> None:
        ends = {("AAPL", date.min, 0): 1.0, ("AAPL", date.max, 0): 2.0}
        frame = pl.concat([bars(ends), grid()])
        put(store, grid())
        for key, value in ends.items():
            bar, day = bars({key: value}), key[1]
            store.replace(M1, bar, sessions=(day, day), symbols=[key[0]])
            assert_frame_equal(store.scan(M1, sessions=(day, day)), bar)
        every = (date.min, date.max)
        assert_frame_equal(store.scan(M1, sessions=every), frame.sort("symbol", "ts"))
        assert_frame_equal(
            store.scan(M1, sessions=every, symbols=["AAPL"], start=date.min, end=date.max),
            frame.sort("symbol", "ts").filter(
                pl.col("symbol") == "AAPL", pl.col("session") < date.max
            ),
        )
        assert store.version(M1, sessions=every) == store.version(M1, sessions=every)

    def test_columns_come_in_the_order_asked(self, store: BarStore) -> None:
        put(store, grid())
        got = store.scan(M1, columns=["close", "symbol"], symbols=["AAPL", "msft"])
        assert got.columns == ["close", "symbol"]
        assert got["symbol"].to_list() == ["AAPL"] * 8 + ["msft"] * 8
        with pytest.raises(SchemaError, match="no column"):
            store.scan(M1, columns=["bucket"])

    # --- latest --------------------------------------------------------------------------------

    def test_latest_is_the_newest_of_each_symbol(self, store: BarStore) -> None:
        frame = grid().filter(
            (pl.col("symbol") != "AAPL") | (pl.col("session") == SESSIONS[0])
        )  # AAPL ended a year before the others
        put(store, frame)
        assert keys_of(store.latest(M1)) == [
            ("AAPL", SESSIONS[0], 1), *((s, SESSIONS[3], 1) for s in SYMBOLS[1:])
        ]  # fmt: skip
        assert keys_of(store.latest(M1, symbols=["msft", "AAPL", "TSLA"])) == [
            ("AAPL", SESSIONS[0], 1), ("msft", SESSIONS[3], 1)
        ]  # fmt: skip

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_the_newest_rows_are_told_by_time_not_by_session(
        self, store: BarStore, dataset: Dataset
    ) -> None:
        """A bar may start before the month of its session does, and before others of that month."""
        old, new = SESSIONS[2], SESSIONS[3]
        early = {("AAPL", new, DAY_BEFORE): 2.0, ("AAPL", new, 0): 3.0}
        put(store, bars({("AAPL", old, 1): 1.0, **early}, dataset), dataset)
        newest = store.latest(dataset, rows=2)
        assert newest["close"].to_list() == [1.0, 3.0]
        assert store.latest(dataset, symbols=["AAPL"], rows=1)["close"].to_list() == [3.0]

    def test_latest_rows_reach_back_as_far_as_needed(self, store: BarStore) -> None:
        put(store, grid())
        got = store.latest(M1, symbols=["msft"], rows=5)
        assert keys_of(got) == [
            ("msft", SESSIONS[1], 1), *(("msft", day, m) for day in SESSIONS[2:] for m in (0, 1))
        ]  # fmt: skip
        assert store.latest(M1, rows=100).height == 32

    @pytest.mark.parametrize("rows", [0, -1])
    def test_latest_of_no_rows_is_empty(self, store: BarStore, rows: int) -> None:
        put(store, grid())
        for symbols in (None, ["msft"], []):
            assert_frame_equal(store.latest(M1, symbols=symbols, rows=rows), M1.schema.empty())

    # --- counts --------------------------------------------------------------------------------

    @pytest.mark.parametrize("dataset", [M1, D1], ids=["1m", "1d"])
    def test_counts_per_symbol_and_month(self, store: BarStore, dataset: Dataset) -> None:
        """Before and after any row is there."""
        types = {"symbol": pl.String(), "month": pl.Date(), "rows": pl.Int64()}
        assert_frame_equal(store.counts(dataset), pl.DataFrame(schema=types))
        put(store, grid(dataset=dataset), dataset)
        months = [(date(2023, 12, 1), 2), (date(2024, 1, 1), 4), (date(2024, 2, 1), 2)]
        expected = [(symbol, *month) for symbol in SYMBOLS for month in months]
        assert_frame_equal(
            store.counts(dataset), pl.DataFrame(expected, schema=types, orient="row")
        )

    # --- version -------------------------------------------------------------------------------

    def test_a_version_tells_of_every_change_in_its_range(self, store: BarStore) -> None:
        day = (SESSIONS[2], SESSIONS[2])
        before = store.version(M1, sessions=day)
        for frame in (grid(), grid(2.0), M1.schema.empty(), grid(2.0)):
            put(store, frame)
            version = store.version(M1, sessions=day)
            assert version != before
            assert version == store.version(M1, sessions=day)
            before = version
        put(store, grid(2.0))
        assert store.version(M1, sessions=day) == before
        one = store.version(M1, symbols=["AAPL"])
        bar = bars({("AAPL", SESSIONS[2], 0): 7.0})
        store.replace(M1, bar, sessions=day, symbols=["AAPL"])
        assert store.version(M1, symbols=["AAPL"]) != one
        assert store.version(M1, sessions=day) != before

    # --- any history of writes -----------------------------------------------------------------

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=SUPPRESSED,
    )
    @given(data=st.data())
    def test_any_history_of_replaces_equals_a_dictionary(
        self, new_store: Callable[[], BarStore], data: st.DataObject
    ) -> None:
        store, model = new_store(), dict[Key, float]()
        dataset = data.draw(st.sampled_from([M1, D1]))
        for _ in range(data.draw(st.integers(1, 5))):
            first, last = sorted(data.draw(st.tuples(*[st.sampled_from(SESSIONS)] * 2)))
            symbols = data.draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
            inside = [
                (s, d, m) for s in symbols for d in SESSIONS if first <= d <= last for m in (0, 1)
            ]
            chosen = data.draw(st.lists(st.sampled_from(inside), unique=True)) if inside else []
            value = data.draw(st.sampled_from([1.0, 2.0]))
            rows = dict.fromkeys(chosen, value)
            store.replace(dataset, bars(rows, dataset), sessions=(first, last), symbols=symbols)
            model = {
                k: v for k, v in model.items() if not (k[0] in symbols and first <= k[1] <= last)
            } | rows
            expected = bars(model, dataset).sort("symbol", "ts")
            assert_frame_equal(store.scan(dataset), expected)
        asked = data.draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
        start = data.draw(st.sampled_from(SESSIONS))
        found = store.scan(dataset, symbols=asked, start=start)
        wanted = pl.col("symbol").is_in(asked) & (pl.col("session") >= start)
        assert_frame_equal(found, expected.filter(wanted))
