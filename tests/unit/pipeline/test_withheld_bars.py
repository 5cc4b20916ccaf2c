"""Bars that are in error: whoever reads without them is told, and coverage names their sessions."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import emp
from emp.cli import run
from emp.client import get_latest_bars
from emp_assets.outcome_map import outcome_drawings
from market_data.datasets import curated_bars
from market_data.errors import WithheldBarsWarning
from market_data.pipeline.explain import explain, gaps, together
from market_data.pipeline.withheld import with_withheld
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 15, tzinfo=UTC)
DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8)]
FIRST, LAST = DAYS[0], DAYS[-1]
ERRORS = DAYS[1:4]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def curated(source: str, flags: str) -> pl.DataFrame:
    count = len(DAYS)
    bars = {
        "symbol": ["AAA"] * count,
        "ts": [at(d).replace(hour=14, minute=30) for d in DAYS],
        "session": DAYS,
        **{price: [100.0] * count for price in ("open", "high", "low", "close")},
        "source": [source] * count,
        "filled": [""] * count,
        "final": [True] * count,
        "dq_status": ["error" if d in ERRORS else "ok" for d in DAYS],
        "flags": [flags if d in ERRORS else "" for d in DAYS],
        "rule_version": ["v"] * count,
    }
    return CURATED_BARS.conform(pl.DataFrame(bars))


def stored(folder: Path, source: str = "yahoo", flags: str = "split_x,splits_disputed") -> World:
    """Yahoo has answered all five sessions; the bars of three are in error."""
    world = shares(World.at(folder, NOW))
    ask(world, FakeVendor(bars={"AAA": [at(d) for d in DAYS]}), str(FIRST), str(LAST))
    world.platform.store.replace(
        curated_bars(Timeframe.D1),
        curated(source, flags),
        sessions=(FIRST, LAST),
        symbols=["AAA"],
    )
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return stored(tmp_path_factory.mktemp("withheld"))


def known(world: World, *vendors: str) -> pl.DataFrame:
    told = explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.D1, vendors or None)
    return with_withheld(world.platform, told, Timeframe.D1, named=bool(vendors))


def test_bars_that_came_and_were_not_curated_are_told_with_their_cure(tmp_path: Path) -> None:
    world = stored(tmp_path)
    dataset = curated_bars(Timeframe.D1)
    held = world.platform.store.scan(dataset).filter(pl.col("session") == DAYS[0])
    world.platform.store.replace(dataset, held, sessions=(FIRST, LAST), symbols=["AAA"])
    told = known(world, "yahoo")
    assert told["withheld"].to_list() == [0, 1, 1, 1, 1]
    assert told["reason"].to_list() == [
        "",
        *4
        * [
            "bars came, none of them is curated: 'emp ingest --vendor yahoo --symbols AAA "
            "--timeframe 1d --start ... --end ...' curates them, or says which check holds them "
            "back"
        ],
    ]
    missing = gaps(together(known(world)))
    assert missing.select("first", "last").rows() == [(DAYS[1], DAYS[4])]


def of_withheld(told: pytest.WarningsRecorder) -> list[warnings.WarningMessage]:
    """Nobody has scored these bars, of which another warning tells."""
    return [note for note in told if note.category is WithheldBarsWarning]


def test_a_reader_is_told_how_many_bars_it_does_not_get_and_why(world: World) -> None:
    with pytest.warns(WithheldBarsWarning) as told:
        bars = emp.get_curated_bars("AAA", FIRST, LAST, settings=world.settings)
    assert bars["session"].to_list() == [DAYS[0], DAYS[4]]
    (note,) = of_withheld(told)
    assert "AAA (3 bar(s) of 3 session(s), 2024-03-05 to 2024-03-07, flags: split_x, " in str(
        note.message
    )
    assert "--quality all" in str(note.message)
    assert note.filename == __file__, "it points at who asked"


def test_the_newest_bars_tell_it_once(world: World) -> None:
    with pytest.warns(WithheldBarsWarning) as told:
        assert get_latest_bars("AAA", 2, settings=world.settings).height == 2
    assert len(of_withheld(told)) == 1


def test_the_newest_bars_tell_of_what_is_left_out_among_them(tmp_path: Path) -> None:
    """Not of all that was looked through for them: sixteen of these nineteen."""
    world = shares(World.at(tmp_path, NOW))
    days = [date(2024, 2, 1) + timedelta(days=n) for n in range(19)]
    wrong = [days[5], days[6], days[-1]]
    bars = curated("yahoo", "split_x").head(1)
    world.platform.store.replace(
        curated_bars(Timeframe.D1),
        CURATED_BARS.conform(
            pl.concat(
                bars.with_columns(
                    ts=pl.lit(at(day), pl.Datetime("us", "UTC")),
                    session=pl.lit(day),
                    dq_status=pl.lit("error" if day in wrong else "ok"),
                )
                for day in days
            )
        ),
        sessions=(days[0], days[-1]),
        symbols=["AAA"],
    )
    with pytest.warns(WithheldBarsWarning, match=r"AAA \(1 bar\(s\) of 1 session") as told:
        newest = get_latest_bars("AAA", 2, settings=world.settings)
    assert newest["session"].to_list() == days[-3:-1]
    told_of = of_withheld(told)
    assert [note.filename for note in told_of] == [__file__], "it points at who asked"


@pytest.mark.parametrize("how", [{"quality": "all"}, {"quality": "ok"}, {"end": FIRST}])
def test_nothing_is_said_where_nothing_unasked_is_left_out(
    world: World, how: dict[str, object]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", WithheldBarsWarning)
        emp.get_curated_bars("AAA", FIRST, settings=world.settings, **how)  # type: ignore[arg-type]


def test_coverage_names_the_sessions_with_reason_and_cure(world: World) -> None:
    told = emp.get_coverage("AAA", FIRST, LAST, settings=world.settings)
    yahoo = told.filter(pl.col("vendor") == "yahoo")
    assert yahoo["withheld"].to_list() == [0, 1, 1, 1, 0]
    assert [bool(r) for r in yahoo["reason"]] == [False, True, True, True, False]
    sentence = yahoo["reason"][1]
    assert "all bars that came are withheld as errors (flags: split_x, splits_disputed)" in sentence
    assert "'emp ingest --vendor yahoo --symbols AAA --timeframe 1d" in sentence
    assert "--refetch" in sentence
    assert set(told.filter(pl.col("vendor") != "yahoo")["withheld"]) == {0}


def test_they_are_gaps_of_all_vendors_together(world: World) -> None:
    everybody = together(known(world))
    assert [bool(r) for r in everybody["reason"]] == [False, True, True, True, False]
    (gap,) = gaps(known(world, "yahoo")).to_dicts()
    assert (gap["first"], gap["last"], gap["sessions"]) == (ERRORS[0], ERRORS[-1], 3)


def test_the_page_of_the_curated_bars_names_them(world: World) -> None:
    drawn = outcome_drawings(world.platform, Timeframe.D1, ["AAA"], (FIRST, LAST))
    assert "withheld as errors" in str(drawn["reasons"].value)


def test_bars_of_a_vendor_that_is_not_listed_are_told_by_all_others(tmp_path: Path) -> None:
    world = stored(tmp_path, "elsewhere@1m", "unusable")
    told = known(world)
    assert told.filter(pl.col("session") == ERRORS[0])["withheld"].to_list() == [1] * (
        told["vendor"].n_unique()
    )
    assert "'emp annotate list'" in together(told)["reason"][1]
    assert known(world, "yahoo")["withheld"].sum() == 0, "they are not yahoo's"


def test_the_commands_say_it(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    span = ["AAA", "--start", str(ERRORS[0]), "--end", str(ERRORS[-1])]
    assert run(["bars", *span, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "3 bar(s) of 3 session(s)" in err
    assert "emp coverage" in err
    assert run(["coverage", *span, "--gaps", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [g["sessions"] for g in told if "splits_disputed" in g["reason"]] == [3]
