"""Stored rows as messages: which slices, how large, how many at a time, and what ends them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.kafka import replay as module
from adapters.kafka.arrow import texts, to_batch
from adapters.kafka.replay import Target, replay, replayable
from adapters.stores.delta_bar_store import DeltaBarStore
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError, StreamError
from market_data.timeframes import Timeframe
from tests.support.kafka_echo import Echo

NOW = datetime(2024, 6, 1, tzinfo=UTC)
MINUTES, DAYS = curated_bars(Timeframe.M1), curated_bars(Timeframe.D1)
FIRST, LAST = date(2023, 12, 28), date(2024, 2, 3)


def bars(symbols: list[str], first: date, last: date, per_session: int) -> pl.DataFrame:
    sessions = pl.date_range(first, last, "1d", eager=True)
    grid = pl.DataFrame({"symbol": symbols}).join(pl.DataFrame({"session": sessions}), how="cross")
    grid = grid.join(pl.DataFrame({"n": range(per_session)}), how="cross")
    return MINUTES.schema.conform(
        grid.with_columns(
            ts=pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(minutes=pl.col("n")),
            open=pl.int_range(pl.len()) / 7,
            high=pl.int_range(pl.len()) / 3,
            low=pl.int_range(pl.len()) / 11,
            close=pl.int_range(pl.len()) / 5,
            source=pl.lit("yahoo"),
            filled=pl.lit(""),
            final=pl.lit(value=True),
            dq_status=pl.lit("ok"),
            flags=pl.lit(""),
            rule_version=pl.lit("1"),
        )
    ).sort("symbol", "ts")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DeltaBarStore:
    store = DeltaBarStore(tmp_path_factory.mktemp("lake"))
    for dataset, per_session in ((MINUTES, 30), (DAYS, 1)):
        frame = bars(["AAA", "BBB", "CCC"], FIRST, LAST, per_session)
        store.replace(dataset, frame, sessions=(FIRST, LAST), symbols=["AAA", "BBB", "CCC"])
    return store


def send(store: DeltaBarStore, echo: Echo, dataset=MINUTES, first=FIRST, last=LAST, **options):
    target = Target(echo, "rows", options.pop("limit", 900_000))
    symbols = options.pop("symbols", ["BBB", "AAA", "BBB"])
    return replay(store, dataset, symbols, first, last, to=target, now=NOW, **options)


def batches(echo: Echo) -> list:
    return [to_batch(m.value, m.headers) for m in echo.messages[:-1]]


def test_one_message_per_symbol_and_month(store):
    echo = Echo()
    done = send(store, echo)
    assert [(b.slice.symbol, b.slice.name) for b in batches(echo)] == [
        (symbol, month) for symbol in ("AAA", "BBB") for month in ("2023-12", "2024-01", "2024-02")
    ]
    spans = {b.slice.name: b.slice.sessions for b in batches(echo)}
    assert spans == {
        "2023-12": (FIRST, date(2023, 12, 31)),
        "2024-01": (date(2024, 1, 1), date(2024, 1, 31)),
        "2024-02": (date(2024, 2, 1), LAST),
    }
    rows = pl.concat([b.frame for b in batches(echo)]).sort("symbol", "ts")
    assert_frame_equal(rows, store.scan(MINUTES, symbols=["AAA", "BBB"]), check_exact=True)
    assert (done.slices, done.messages, done.rows) == (6, 6, 38 * 30 * 2)
    assert done.bytes == sum(len(m.value) for m in echo.messages[:-1])


def test_daily_bars_go_by_year(store):
    echo = Echo()
    send(store, echo, DAYS, symbols=["CCC"])
    assert [b.slice.name for b in batches(echo)] == ["2023", "2024"]


def test_a_slice_without_rows_is_no_message(store):
    echo = Echo()
    done = send(store, echo, symbols=["ZZZ"], last=FIRST + timedelta(days=400))
    assert (done.slices, done.messages, done.rows) == (0, 0, 0)
    assert len(echo.messages) == 1


def test_the_last_message_says_what_there_was(store):
    echo = Echo()
    done = send(store, echo)
    end = echo.messages[-1]
    assert texts(end.headers)["kind"] == "end"
    assert json.loads(end.value) == {
        "replay_id": done.replay_id,
        "topic": "rows",
        "dataset": "curated/bars_1m",
        "slices": 6,
        "messages": 6,
        "rows": done.rows,
        "bytes": done.bytes,
        "symbols": ["AAA", "BBB"],
        "sessions": ["2023-12-28", "2024-02-03"],
    }


def test_large_slices_are_split_below_the_limit(store):
    echo = Echo()
    done = send(store, echo, limit=8_000)
    assert max(len(m.value) for m in echo.messages) <= 8_000
    assert done.messages > done.slices == 6
    rows = pl.concat([b.frame for b in batches(echo)]).sort("symbol", "ts")
    assert_frame_equal(rows, store.scan(MINUTES, symbols=["AAA", "BBB"]), check_exact=True)


def test_no_more_is_held_than_a_window(store, monkeypatch):
    monkeypatch.setattr(module, "WINDOW_BYTES", 15_000)
    held = []

    class Counting(Echo):
        def start(self, messages):
            held.append(sum(len(m.value) for m in messages))
            return super().start(messages)

    send(store, Counting(), limit=8_000)
    assert len(held) > 4
    assert max(held) < 15_000 + 8_000


def test_a_broker_that_takes_no_more_ends_it_without_an_end(store):
    echo = Echo(takes=2)
    with pytest.raises(StreamError, match="took no more"):
        send(store, echo)
    assert all(texts(m.headers)["kind"] == "rows" for m in echo.messages)


def test_progress_is_told(store):
    told: list[str] = []
    send(store, Echo(), symbols=["AAA"], tell=told.append)
    assert told[0] == "AAA 2023-12: 120 rows"


def test_only_registered_datasets_are_replayed():
    assert replayable("quality/scores").name == "quality/scores"
    with pytest.raises(ConfigurationError, match="curated/bars_1m"):
        replayable("x; drop table y")


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ("2024-02-29", "2024-02-29", ["2024-02"]),
        ("2023-12-31", "2024-01-01", ["2023-12", "2024-01"]),
        ("2024-01-31", "2024-03-01", ["2024-01", "2024-02", "2024-03"]),
        ("2024-02-02", "2024-02-01", []),
    ],
)
def test_periods(first, last, names):
    days = (date.fromisoformat(first), date.fromisoformat(last))
    spans = list(module._spans(MINUTES.layout, *days))
    assert [name for name, _ in spans] == names
    covered = [d for _, (a, b) in spans for d in pl.date_range(a, b, "1d", eager=True)]
    assert covered == list(pl.date_range(*days, "1d", eager=True)) if names else covered == []


@pytest.mark.parametrize("year", [2023, 2024])
def test_years_meet(year):
    days = (date(year, 1, 1), date(year + 1, 1, 1))
    spans = [span for _, span in module._spans(DAYS.layout, *days)]
    assert spans == [(days[0], date(year, 12, 31)), (days[1], days[1])]


def test_unused_folders(tmp_path: Path):
    """An empty store is no error: it has no rows."""
    done = send(DeltaBarStore(tmp_path), Echo())
    assert done.rows == 0
