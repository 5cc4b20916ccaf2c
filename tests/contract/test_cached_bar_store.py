"""A store read through a cache keeps the promises of a BarStore, and is never behind its store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import pytest
from bar_store_suite import ALL, D1, M1, SESSIONS, SYMBOLS, BarStoreSuite, bars, grid, put
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.cache.cached_store import CachedBarStore
from adapters.cache.frames import from_bytes, to_bytes
from adapters.cache.memory import MemoryCache
from adapters.cache.policy import CachePolicy
from adapters.stores.delta_bar_store import DeltaBarStore

SMALL = CachePolicy(60, 8, 1 << 20, "test")


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[[], CachedBarStore]:
    return lambda: CachedBarStore(DeltaBarStore(mkdtemp(dir=tmp_path)), MemoryCache(SMALL))


@pytest.fixture
def store(new_store: Callable[[], CachedBarStore]) -> CachedBarStore:
    return new_store()


class TestCachedBarStore(BarStoreSuite):
    """The promises of the port."""


def test_the_second_read_comes_from_the_cache(store: CachedBarStore) -> None:
    put(store, grid())
    first = store.scan(M1, symbols=["AAPL", "msft"])
    again = store.scan(M1, symbols=["msft", "AAPL"])
    assert_frame_equal(first, again)
    told = store.cache.metrics(reset=True)
    assert (told.hits, told.misses, told.keys) == (1, 1, 1)
    assert store.cache.metrics().hits == 0


def test_a_write_of_another_process_is_seen_at_once(tmp_path: Path) -> None:
    """The writer knows nothing of the cache: the version decides, not an invalidation."""
    store = CachedBarStore(DeltaBarStore(tmp_path), MemoryCache(SMALL))
    writer = DeltaBarStore(tmp_path)
    for price in (1.0, 2.0, 3.0):
        put(writer, grid(price))
        for _ in range(2):
            assert store.scan(M1)["close"].unique().to_list() == [price]
    assert store.cache.metrics().hits == 3


def test_a_write_during_a_read_is_not_kept_under_the_old_version(tmp_path: Path) -> None:
    class Slow(DeltaBarStore):
        def scan(self, *args: object, **how: object) -> pl.DataFrame:
            found = super().scan(*args, **how)
            put(DeltaBarStore(tmp_path), grid(2.0))
            return found

    put(DeltaBarStore(tmp_path), grid(1.0))
    cache = MemoryCache(SMALL)
    CachedBarStore(Slow(tmp_path), cache).scan(M1)
    assert cache.metrics().keys == 0
    assert CachedBarStore(DeltaBarStore(tmp_path), cache).scan(M1)["close"].unique().item() == 2.0


def test_a_write_frees_what_it_made_useless(store: CachedBarStore) -> None:
    put(store, grid())
    put(store, grid(dataset=D1), D1)
    for dataset in (M1, D1):
        store.scan(dataset)
    put(store, grid())
    assert store.cache.metrics().invalidations == 0
    bar = bars({("AAPL", SESSIONS[1], 0): 9.0})
    store.replace(M1, bar, sessions=(SESSIONS[1], SESSIONS[1]), symbols=["AAPL"])
    told = store.cache.metrics()
    assert (told.invalidations, told.keys) == (1, 1)


def test_a_writer_frees_entries_and_asks_for_none(tmp_path: Path) -> None:
    cache = MemoryCache(SMALL)
    reader = CachedBarStore(DeltaBarStore(tmp_path), cache)
    writer = CachedBarStore(DeltaBarStore(tmp_path), cache, reads=False)
    put(writer, grid(1.0))
    assert reader.scan(M1).height == writer.scan(M1).height > 0
    assert (cache.metrics().hits, cache.metrics().misses) == (0, 1)
    put(writer, grid(2.0))
    assert cache.metrics().invalidations == 1
    assert writer.scan(M1)["close"].unique().to_list() == [2.0]


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "one half": lambda content: content[: len(content) // 2],
    "all but the end": lambda content: content[:-1],
    "nothing": lambda _: b"",
    "noise": lambda content: b"noise" * 100,
    "other columns": lambda _: to_bytes(pl.DataFrame({"close": [1.0]})),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_cannot_be_read_back_is_read_anew(
    store: CachedBarStore, spoil: Callable[[bytes], bytes]
) -> None:
    class Liar(MemoryCache):
        def put(self, key: str, content: bytes) -> None:
            super().put(key, spoil(content))

    put(store, grid())
    cache = Liar(SMALL)
    lying = CachedBarStore(store, cache)
    for _ in range(2):
        assert_frame_equal(lying.scan(M1), grid().sort("symbol", "ts"))
    assert cache.metrics().failures == 1


def test_what_is_too_large_is_served_and_not_kept(tmp_path: Path) -> None:
    tiny = MemoryCache(CachePolicy(60, 8, 100, "test"))
    store = CachedBarStore(DeltaBarStore(tmp_path), tiny)
    put(store, grid())
    assert store.scan(M1).height == 32
    assert store.cache.metrics().keys == 0


@pytest.mark.parametrize("how", [{}, {"sessions": ALL}, {"symbols": SYMBOLS}, {"columns": ["ts"]}])
def test_questions_that_differ_have_answers_that_do(store: CachedBarStore, how: dict) -> None:
    put(store, grid())
    everything = store.scan(M1, **how)
    assert_frame_equal(store.scan(M1, **how), everything)
    assert store.scan(M1, **{**how, "symbols": ["AAPL"]}).height == 8


def test_columns_are_part_of_the_question(store: CachedBarStore) -> None:
    put(store, grid())
    asked = (None, ["ts"], ["ts", "close"], ["close", "ts"])
    for times in (1, 2):
        for columns in asked:
            answer = store.scan(M1, columns=columns)
            assert answer.columns == list(columns or M1.schema.names)
        told = store.cache.metrics()
        assert (told.misses, told.hits) == (len(asked), (times - 1) * len(asked))
        assert (told.keys, told.failures) == (len(asked), 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "Ω", None]), st.sampled_from(["AAPL", "x"]), st.floats()),
        max_size=5,
    ),
    st.sampled_from([["a", "b", "c"], ["c", "a"], ["b"], ["a", "b"]]),
)
def test_a_frame_comes_back_as_it_was(
    rows: list[tuple[str | None, str, float]], columns: list[str]
) -> None:
    schema = {"a": pl.String, "b": pl.String, "c": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").select(columns)
    back = from_bytes(to_bytes(frame), columns)
    assert_frame_equal(back, frame, check_exact=True)
    assert back.height == frame.height


def test_texts_that_repeat_are_kept_once() -> None:
    many = pl.DataFrame({"symbol": ["AAPL"] * 10_000, "close": [1.0] * 10_000})
    assert len(to_bytes(many)) < 10_000 * 8 * 1.1


class Counted(DeltaBarStore):
    """Counts how often its version is asked for."""

    versions = 0

    def version(self, *arguments: Any, **more: Any) -> str:
        self.versions += 1
        return super().version(*arguments, **more)


class Hanging(MemoryCache):
    """Is away: finds that out when it is asked, and is left alone from then on."""

    def __init__(self) -> None:
        super().__init__(SMALL)
        self.asked = 0

    @property
    def idle(self) -> bool:
        return self.asked > 0

    def get(self, key: str) -> bytes | None:
        self.asked += 1

    def put(self, key: str, content: bytes) -> None:
        self.asked += 1


def test_a_cache_that_is_away_is_asked_once_and_costs_the_store_nothing(tmp_path: Path) -> None:
    """Of a read without a cache the store is asked for rows alone, not for versions of them."""
    put(DeltaBarStore(tmp_path), grid())
    counted, away = Counted(tmp_path), Hanging()
    store = CachedBarStore(counted, away)
    for _ in range(3):
        assert store.scan(M1).height == grid().height
    assert (away.asked, counted.versions) == (1, 1)
