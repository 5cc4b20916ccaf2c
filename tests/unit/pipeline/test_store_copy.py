"""Datasets copied from store to store: equal, whole, resumable, and never over own rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.stores.delta_bar_store import DeltaBarStore
from market_data.datasets import (
    FLAGS_DATASET,
    MACRO_CALENDAR,
    SCORES_DATASET,
    STORED,
    Dataset,
    curated_bars,
)
from market_data.errors import (
    CopyMismatchError,
    CopyRefusedError,
    SessionConflictError,
    StoreConflictError,
)
from market_data.pipeline.copy_slices import cut
from market_data.pipeline.copying import DatasetCopy
from market_data.pipeline.migration import compare, copy, demand_equality
from market_data.timeframes import Timeframe

M1, D1 = curated_bars(Timeframe.M1), curated_bars(Timeframe.D1)
DAYS = [date(2023, 12, 28), date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 29)]
SYMBOLS = ["AAPL", "EURUSD", "Ω"]
WHOLE = (date(2023, 1, 1), date(2025, 1, 1))
FEW = (M1, D1, SCORES_DATASET)
ALIKE = ("price", "volume", "indicators", "regime", "labels")
EVERY = tuple(
    d
    for d in STORED
    # Of features in each timeframe those of two layouts.
    if not d.name.startswith(tuple(f"features/{kind}" for kind in ALIKE))
    or d.name in ("features/price_1m_v1", "features/labels_1d_v1", "features/regime_1d_v1")
)


class Notes:
    """Receipts in memory."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def knows(self, part: str, digest: str) -> bool:
        return (part, digest) in self.seen

    def note(self, part: str, digest: str) -> None:
        self.seen.add((part, digest))


def bars(dataset: Dataset, price: float = 1.0, symbols: list[str] = SYMBOLS) -> pl.DataFrame:
    keys = [(s, day, minute) for s in symbols for day in DAYS for minute in range(2)]
    frame = pl.DataFrame(
        [
            (s, datetime(d.year, d.month, d.day, 14, 30, tzinfo=UTC) + timedelta(minutes=m), d)
            for s, d, m in keys
        ],
        schema={n: dataset.schema.dtypes[n] for n in ("symbol", "ts", "session")},
        orient="row",
    )
    prices = {n: pl.lit(price) + pl.int_range(pl.len()) / 7 for n in ("open", "high", "low")}
    texts = {n: pl.lit("") for n in ("source", "filled", "flags", "dq_status", "rule_version")}
    volume = pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise(float("nan"))
    return dataset.schema.conform(
        frame.with_columns(
            **prices, **texts, close=pl.lit(0.1 + 0.2), volume=volume, final=pl.lit(value=True)
        )
    )


def scores() -> pl.DataFrame:
    filler: dict[type, Any] = {pl.Int64: 3, pl.Float64: 0.25, pl.String: "x"}
    rows = [
        {c.name: filler.get(type(c.dtype)) for c in SCORES_DATASET.schema.columns}
        | {"symbol": symbol, "session": day, "dataset": name}
        for symbol in SYMBOLS
        for day in DAYS
        for name in ("curated/bars_1d", "curated/bars_1m")
    ]
    return pl.DataFrame(rows, schema=SCORES_DATASET.schema.dtypes)


def flags() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {c.name: "x" for c in FLAGS_DATASET.schema.columns if c.dtype == pl.String()}
            | {"symbol": symbol, "session": day, "bar": ts, "found_at": ts, "digest": -1}
            | {"code": code}
            for symbol in SYMBOLS
            for day in DAYS
            for ts in (datetime(day.year, day.month, day.day, tzinfo=UTC),)
            for code in ("jump", "wick")
        ],
        schema=FLAGS_DATASET.schema.dtypes,
    )


def events() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {c.name: "x" for c in MACRO_CALENDAR.schema.columns if c.dtype == pl.String()}
            | {"symbol": symbol, "session": day, "ts": ts, "known_at": ts, "actual": 0.5}
            for symbol in SYMBOLS
            for day in DAYS
            for ts in (datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in (1, 2))
        ],
        schema=MACRO_CALENDAR.schema.dtypes,
    )


def featured(dataset: Dataset) -> pl.DataFrame:
    """Two rows per symbol and session, every third cell of a feature empty."""
    keys = [
        {
            "symbol": symbol,
            "session": day,
            "ts": datetime(day.year, day.month, day.day, hour, tzinfo=UTC),
        }
        | {n: f"{n}{hour}" for n, t in dataset.schema.dtypes.items() if t == pl.String}
        | {"symbol": symbol}
        for symbol in SYMBOLS
        for day in DAYS
        for hour in (1, 2)
    ]
    number = pl.int_range(pl.len())
    empty = {c.name for c in dataset.schema.columns if c.nullable}
    frame = pl.DataFrame(keys).with_columns(available_at="ts")
    values = {
        c.name: pl.when(number % 3 == 0).then(None).otherwise(number) if c.name in empty else number
        for c in dataset.schema.columns
        if c.dtype in (pl.Float64(), pl.Int64())
    }
    return dataset.schema.conform(frame.with_columns(**values))


def content(dataset: Dataset) -> pl.DataFrame:
    if dataset.name.startswith(("features/", "marts/")):
        return featured(dataset)
    if dataset == MACRO_CALENDAR:
        return events()
    if dataset == FLAGS_DATASET:
        return flags()
    return scores() if dataset == SCORES_DATASET else bars(dataset)


def put(store: DeltaBarStore, dataset: Dataset, frame: pl.DataFrame) -> None:
    symbols = [*SYMBOLS, *frame["symbol"].unique()]
    store.replace(dataset, frame, sessions=WHOLE, symbols=symbols)


@pytest.fixture
def source(tmp_path: Path) -> DeltaBarStore:
    store = DeltaBarStore(tmp_path / "source")
    for dataset in FEW:
        put(store, dataset, content(dataset))
    return store


@pytest.fixture
def target(tmp_path: Path) -> DeltaBarStore:
    return DeltaBarStore(tmp_path / "target")


def silent(_: str) -> None:
    return


def few(
    source: DeltaBarStore, target: DeltaBarStore, notes: Notes | None = None, **how: Any
) -> list[DatasetCopy]:
    return [DatasetCopy(d, source, target, notes or Notes(), **how) for d in FEW]


def test_every_dataset_arrives_with_equal_digests(
    source: DeltaBarStore, target: DeltaBarStore
) -> None:
    for dataset in set(EVERY) - set(FEW):
        put(source, dataset, content(dataset))
    told: list[str] = []
    parts = [DatasetCopy(d, source, target, Notes()) for d in EVERY]
    reports = copy(parts, tell=told.append)
    assert [r.name for r in reports] == [d.name for d in EVERY]
    for dataset, report in zip(EVERY, reports, strict=True):
        assert_frame_equal(target.scan(dataset), source.scan(dataset))
        pieces = report.outcome.pieces
        assert [p.piece for p in pieces] == ["2023-12", "2024-01", "2024-02"]
        assert [p.source_rows for p in pieces] == [6, 6, 12]
        assert all(p.equal and len(p.source_digest) == 32 for p in pieces)
        assert len({p.source_digest for p in pieces}) == 3
        assert report.outcome.rows_copied == 24
    assert "curated/bars_1m 2024-02: 12 rows copied (3 of 3)" in told
    demand_equality(reports)


def test_the_same_again_writes_nothing(source: DeltaBarStore, target: DeltaBarStore) -> None:
    copy(few(source, target), tell=silent)
    versions = [target.version(d) for d in FEW]
    reports = copy(few(source, target), tell=silent)
    assert [target.version(d) for d in FEW] == versions
    assert [r.outcome.slices_copied for r in reports] == [0] * len(FEW)
    assert all(p.equal for r in reports for p in r.outcome.pieces)


@pytest.mark.parametrize("dies", range(1, 5))
def test_a_copy_that_dies_is_finished_by_the_next(
    source: DeltaBarStore, target: DeltaBarStore, tmp_path: Path, dies: int
) -> None:
    class Dying(DeltaBarStore):
        left = dies

        def replace(self, *args: Any, **how: Any) -> int:
            held = super().replace(*args, **how)
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return held

    notes = Notes()
    dying = Dying(tmp_path / "target")
    with pytest.raises(KeyboardInterrupt):
        copy(few(source, dying, notes, rows_at_once=8), tell=silent)
    put(source, M1, bars(M1, 9.0))
    copy(few(source, target, notes, rows_at_once=8), tell=silent)
    for dataset in FEW:
        assert_frame_equal(target.scan(dataset), source.scan(dataset))


def test_large_slices_are_cut_by_symbols(source: DeltaBarStore, target: DeltaBarStore) -> None:
    counts = source.counts(M1)
    slices = list(cut(M1, counts, counts.clear(), rows_at_once=6))
    assert [s.label for s in slices[:2]] == ["2023-12", "2024-01"]
    assert slices[2].label.endswith("of 2")
    assert sorted(symbol for s in slices[2:] for symbol in s.symbols) == SYMBOLS
    assert slices[-1].sessions == (date(2024, 2, 1), date(2024, 2, 29))
    (report,) = copy(
        [DatasetCopy(M1, source, target, Notes(), rows_at_once=6)],
        tell=silent,
    )
    assert report.outcome.slices == len(slices)
    assert [p.source_rows for p in report.outcome.pieces] == [6, 6, 12]
    assert_frame_equal(target.scan(M1), source.scan(M1))


OWN = {
    "a symbol": bars(M1, symbols=["MSFT"]),
    "a value": bars(M1, 2.0).filter(pl.col("session") == DAYS[1]),
    "a month": bars(M1).with_columns(
        pl.col("ts").dt.offset_by("3mo"), pl.col("session").dt.offset_by("3mo")
    ),
}


@pytest.mark.parametrize("own", OWN)
def test_rows_of_the_target_alone_are_never_overwritten_unasked(
    source: DeltaBarStore, target: DeltaBarStore, own: str
) -> None:
    put(target, M1, OWN[own])
    versions = [target.version(d) for d in FEW]
    with pytest.raises(
        CopyRefusedError, match=r"curated/bars_1m 20\d\d-\d\d: \d+ rows.*--overwrite"
    ):
        copy(few(source, target), tell=silent)
    assert [target.version(d) for d in FEW] == versions
    copy(few(source, target, overwrite=True), tell=silent, overwrite=True)
    assert_frame_equal(target.scan(M1), source.scan(M1))


def test_what_a_copy_has_read_may_be_replaced(source: DeltaBarStore, target: DeltaBarStore) -> None:
    """There and back, and there again after a change: no side holds rows of its own."""
    notes = Notes()
    copy(few(source, target, notes), tell=silent)
    put(target, M1, bars(M1, 5.0))
    put(target, D1, bars(D1, symbols=["AAPL"]))
    copy(few(target, source, notes), tell=silent)
    for dataset in (M1, D1):
        assert_frame_equal(source.scan(dataset), target.scan(dataset))
    assert source.scan(D1)["symbol"].unique().to_list() == ["AAPL"]


def test_a_target_that_was_equal_may_be_replaced(
    source: DeltaBarStore, target: DeltaBarStore
) -> None:
    """Receipts that were lost come back with the next copy, also where it writes nothing."""
    copy(few(source, target), tell=silent)
    notes = Notes()
    copy(few(source, target, notes), tell=silent)
    put(source, M1, bars(M1, 5.0))
    copy(few(source, target, notes), tell=silent)
    assert_frame_equal(target.scan(M1), source.scan(M1))


def test_a_target_that_was_written_to_since_the_comparison(
    source: DeltaBarStore, target: DeltaBarStore
) -> None:
    part = DatasetCopy(M1, source, target, Notes())
    part.compare(silent, thorough=False)
    put(target, M1, OWN["a value"])
    with pytest.raises(CopyRefusedError, match="curated/bars_1m 2024-01: the target holds 6 rows"):
        part.copy(silent)


class Raced(DeltaBarStore):
    """A target that another writer changes between the look and the write, some times."""

    def __init__(self, root: Path, frames: list[pl.DataFrame]) -> None:
        super().__init__(root)
        self.other, self.left = DeltaBarStore(root), list(frames)

    def replace(self, *args: Any, **how: Any) -> int:
        if self.left:
            put(self.other, M1, self.left.pop(0))
        return super().replace(*args, **how)


@pytest.mark.parametrize("own", OWN)
def test_rows_that_another_writer_puts_there_meanwhile_stay(
    source: DeltaBarStore, target: DeltaBarStore, tmp_path: Path, own: str
) -> None:
    """Also a symbol and a month that were not there when the copy was cut into slices."""
    notes = Notes()
    copy([DatasetCopy(M1, source, target, notes)], tell=silent)
    put(source, M1, bars(M1, 5.0))
    both = pl.concat([bars(M1).join(OWN[own], on=["symbol", "ts"], how="anti"), OWN[own]])
    raced = Raced(tmp_path / "target", [both])
    with pytest.raises(CopyRefusedError, match="--overwrite"):
        copy([DatasetCopy(M1, source, raced, notes)], tell=silent)
    found = target.scan(M1)
    assert_frame_equal(found.join(OWN[own], on=found.columns, how="semi", nulls_equal=True),
                       OWN[own].sort("symbol", "ts"))  # fmt: skip
    raced = Raced(tmp_path / "target", [both, bars(M1, 7.0)])
    copy([DatasetCopy(M1, source, raced, notes, overwrite=True)], tell=silent, overwrite=True)
    assert_frame_equal(target.scan(M1), source.scan(M1))


def test_what_another_writer_puts_there_may_be_what_is_copied(
    source: DeltaBarStore, target: DeltaBarStore, tmp_path: Path
) -> None:
    told: list[str] = []
    raced = Raced(tmp_path / "target", [bars(M1)])
    (report,) = copy([DatasetCopy(M1, source, raced, Notes())], tell=told.append)
    assert_frame_equal(target.scan(M1), source.scan(M1))
    assert report.outcome.slices_copied == 0
    assert any("another writer was faster" in sentence for sentence in told)


def test_a_target_that_never_rests_is_an_error(source: DeltaBarStore, tmp_path: Path) -> None:
    raced = Raced(tmp_path / "target", [bars(M1, float(price)) for price in range(10, 40)])
    with pytest.raises(StoreConflictError, match=r"curated/bars_1m 2023-12.*faster"):
        copy([DatasetCopy(M1, source, raced, Notes(), overwrite=True)], tell=silent, overwrite=True)
    assert raced.left


def moved(frame: pl.DataFrame, sessions: dict[date, date]) -> pl.DataFrame:
    return frame.with_columns(pl.col("session").replace(sessions)).sort("symbol", "ts")


@pytest.mark.parametrize(
    "sessions",
    [{DAYS[1]: DAYS[2]}, {DAYS[2]: DAYS[1]}, {DAYS[1]: DAYS[2], DAYS[2]: DAYS[1]}],
    ids=["to the next month", "to the month before", "both ways"],
)
def test_bars_that_moved_to_another_session_move(
    source: DeltaBarStore, target: DeltaBarStore, sessions: dict[date, date]
) -> None:
    notes = Notes()
    copy([DatasetCopy(M1, source, target, notes)], tell=silent)
    put(source, M1, moved(bars(M1), sessions))
    reports = copy([DatasetCopy(M1, source, target, notes)], tell=silent)
    assert_frame_equal(target.scan(M1), moved(bars(M1), sessions))
    demand_equality(reports)
    assert reports[0].outcome.slices_copied == 2


def test_a_bar_that_the_source_holds_twice_is_named(
    source: DeltaBarStore, target: DeltaBarStore, tmp_path: Path
) -> None:
    class Twice(DeltaBarStore):
        """As a lake of an older version may be."""

        def scan(self, *args: Any, **how: Any) -> pl.DataFrame:
            found = super().scan(*args, **how)
            if how["sessions"][0].month != DAYS[2].month:
                return found
            early = bars(M1).filter(pl.col("session") == DAYS[1])
            return pl.concat([found, moved(early, {DAYS[1]: DAYS[2]})]).sort("symbol", "ts")

    with pytest.raises(SessionConflictError, match="AAPL at 2024-01-31"):
        copy([DatasetCopy(M1, Twice(tmp_path / "source"), target, Notes())], tell=silent)


def test_a_target_that_keeps_something_else_is_named(source: DeltaBarStore, tmp_path: Path) -> None:
    class Forgetful(DeltaBarStore):
        def replace(self, dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
            late = pl.col("session") == DAYS[3]
            if dataset == D1:
                frame = frame.with_columns(close=pl.when(late).then(0.3).otherwise("close"))
            return super().replace(dataset, frame, **how)

    with pytest.raises(
        CopyMismatchError, match=r"curated/bars_1d 2024-02: the source tells 12 rows"
    ):
        copy(few(source, Forgetful(tmp_path / "target")), tell=silent)


def test_a_write_during_the_copy_is_copied_too(source: DeltaBarStore, tmp_path: Path) -> None:
    """After its slice was read, in a month that was not there, and in a dataset already done."""

    class Busy(DeltaBarStore):
        writes = 0

        def replace(self, dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
            held = super().replace(dataset, frame, **how)
            if dataset == SCORES_DATASET and not self.writes:
                Busy.writes += 1
                put(source, D1, bars(D1, 9.0))
                put(source, M1, pl.concat([bars(M1), OWN["a month"]]))
            return held

    told: list[str] = []
    target = Busy(tmp_path / "target")
    reports = {r.name: r for r in copy(few(source, target), tell=told.append)}
    assert_frame_equal(target.scan(M1), source.scan(M1))
    assert_frame_equal(target.scan(D1), source.scan(D1))
    assert reports[M1.name].again == reports[D1.name].again == 1
    assert reports[M1.name].outcome.slices_copied == 3 + 3
    assert reports[SCORES_DATASET.name].again == 0
    assert any("written to during the copy" in sentence for sentence in told)


def test_a_source_that_never_rests_is_an_error(source: DeltaBarStore, tmp_path: Path) -> None:
    class Restless(DeltaBarStore):
        price = 10.0

        def replace(self, dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
            held = super().replace(dataset, frame, **how)
            Restless.price += 1
            put(source, D1, bars(D1, Restless.price))
            return held

    with pytest.raises(CopyMismatchError, match="curated/bars_1d"):
        copy([DatasetCopy(D1, source, Restless(tmp_path / "t"), Notes())], tell=silent)


def test_a_store_that_trusts_its_books_is_mended(source: DeltaBarStore, tmp_path: Path) -> None:
    class Trusting(DeltaBarStore):
        """Writes nothing where the same rows were written to the same slice last."""

        books: dict[Any, pl.DataFrame] = {}

        def replace(self, dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
            slice_ = (dataset.name, how["sessions"], tuple(how["symbols"]))
            if slice_ in self.books and self.books[slice_].equals(frame):
                return frame.height
            self.books[slice_] = frame
            return super().replace(dataset, frame, **how)

    target = Trusting(tmp_path / "target")
    copy([DatasetCopy(D1, source, target, Notes())], tell=silent)
    put(DeltaBarStore(tmp_path / "target"), D1, bars(D1, 7.0))
    copy([DatasetCopy(D1, source, target, Notes(), overwrite=True)], tell=silent, overwrite=True)
    assert_frame_equal(target.scan(D1), source.scan(D1))


def test_comparing_writes_nothing_and_names_what_differs(
    source: DeltaBarStore, target: DeltaBarStore
) -> None:
    (counted,) = compare([DatasetCopy(M1, source, target, Notes())], tell=silent, thorough=False)
    assert [(p.source_rows, p.target_rows) for p in counted.outcome.pieces] == [
        (6, 0), (6, 0), (12, 0)
    ]  # fmt: skip
    assert not any(p.equal for p in counted.outcome.pieces)
    (looked,) = compare([DatasetCopy(M1, source, target, Notes())], tell=silent, thorough=True)
    assert all(p.source_digest and not p.equal for p in looked.outcome.pieces)
    put(target, M1, bars(M1).filter(pl.col("session") != DAYS[3]))
    reports = compare([DatasetCopy(M1, source, target, Notes())], tell=silent, thorough=True)
    assert [p.equal for p in reports[0].outcome.pieces] == [True, True, False]
    assert [p.foreign for p in reports[0].outcome.pieces] == [0, 0, 0]
    with pytest.raises(CopyMismatchError, match=r"1m 2024-02 \(12 rows in the source, 6 in"):
        demand_equality(reports)
    assert target.scan(M1).height == 18
