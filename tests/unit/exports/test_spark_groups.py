"""Slices cut into groups, curated one by one, and put together: what `curate` gives at once.

Without Spark: the function of an executor is called here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters import spark_curation, spark_features, spark_sending
from adapters.spark_curation import _curated, _groups, _opened, _together, _without_rows
from adapters.spark_sending import as_batch, waves
from market_data.curation import CurationInput, curate
from market_data.features.registry import bar_groups
from market_data.pipeline.curate import slice_input
from market_data.pipeline.features import computed
from market_data.timeframes import Timeframe
from tests.support.feature_series import bars_of, series_of, walk
from tests.support.small_world import DAYS, SYMBOLS, VENDORS, small_world


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> CurationInput:
    """Two shares of two vendors who differ by one close, and one bar that cannot be."""
    folder = tmp_path_factory.mktemp("world")
    world = small_world(folder)
    text = (folder / VENDORS[1] / "BBB.csv").read_text()
    (folder / VENDORS[1] / "BBB.csv").write_text(text.replace("50.0,1000", "58.0,1000", 1))
    text = (folder / VENDORS[0] / "AAA.csv").read_text().replace("49.0,50.0", "99.0,50.0", 1)
    (folder / VENDORS[0] / "AAA.csv").write_text(text)
    for vendor in VENDORS:
        world.load(vendor, "1d", SYMBOLS, DAYS[0], DAYS[-1])
    first, last = (datetime.fromisoformat(day).date() for day in (DAYS[0], DAYS[-1]))
    return slice_input(world.platform, Timeframe.D1, SYMBOLS, first, last)


@pytest.mark.parametrize("rows_of_a_group", [2, 50_000])
def test_groups_together_give_the_whole(
    given: CurationInput, monkeypatch: pytest.MonkeyPatch, rows_of_a_group: int
):
    monkeypatch.setattr(spark_curation, "GROUP_ROWS", rows_of_a_group)
    sent = _opened(_without_rows(given))
    assert not sent.native
    found: dict[str, list[pl.DataFrame]] = {
        p: [] for p in ("bars", "quarantined", "drift", "counts")
    }
    for group in _groups(given):
        batch = as_batch(_curated(sent, group))
        for part, rows in zip(
            *(batch.column(n).to_pylist() for n in ("part", "rows")), strict=True
        ):
            found[part].append(pl.read_ipc(BytesIO(rows)))
    together, whole = _together(given, found), curate(given)
    assert whole.bars.height == 10
    assert whole.quarantined.height >= 1
    assert_frame_equal(together.bars, whole.bars)
    assert_frame_equal(together.quarantined, whole.quarantined)
    assert_frame_equal(together.drift, whole.drift)


def test_a_group_is_one_symbol(given: CurationInput):
    frames = [pl.read_ipc(BytesIO(group)) for group in _groups(given)]
    assert sorted(f["symbol"].unique().item() for f in frames) == list(SYMBOLS)
    assert sum(frame.height for frame in frames) == sum(f.height for f in given.native)
    assert list(_groups(replace(given, native=[]))) == []


def test_no_group_is_made_before_it_is_sent(given: CurationInput, monkeypatch: pytest.MonkeyPatch):
    """Of the groups the driver holds one wave, and of the waves one: each begins with one group."""
    made: list[pl.DataFrame] = []
    as_bytes = spark_sending.as_bytes

    def counting(frame: pl.DataFrame) -> bytes:
        made.append(frame)
        return as_bytes(frame)

    monkeypatch.setattr(spark_curation, "as_bytes", counting)
    monkeypatch.setattr(spark_curation, "GROUP_ROWS", 0)
    monkeypatch.setattr(spark_sending, "WAVE", 1)
    sent = waves(_groups(given))
    next(sent)
    assert len(made) == 2, "the first of the next wave ends one"
    assert len(list(sent)) == len(SYMBOLS) - 1


def test_no_more_is_sent_at_a_time_than_a_wave_holds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spark_sending, "WAVE", 10)
    sent = list(waves([b"x" * n for n in (12, 6, 4, 3, 3)]))
    assert [[len(g) for g in wave] for wave in sent] == [[12], [6, 4], [3, 3]]


def test_now_travels_with_the_rules(given: CurationInput):
    at = datetime(2024, 2, 14, tzinfo=UTC)
    assert _opened(_without_rows(replace(given, now=at))).now == at


def test_groups_of_series_together_give_the_features_of_the_whole():
    bars = bars_of({"AAA": walk(1, 700), "BBB": walk(2, 700)})
    days = bars["session"].unique().sort()
    groups = bar_groups(Timeframe.D1)
    parts = [
        (series_of(bars.filter(pl.col("session") <= last)), (first, last))
        for first, last in ((days[560], days[619]), (days[620], days[699]))
    ]
    sent = list(spark_features._groups(parts))
    assert len(sent) == 4, "each is one symbol and one stretch"
    work = spark_features._work([group.key for group in groups])
    found = [work(group) for group in sent]
    whole = list(computed(parts, groups))
    for group in groups:
        ours = pl.concat([made[str(group.kind)] for made in found]).sort("symbol", "ts")
        theirs = pl.concat([made[group.kind] for made in whole]).sort("symbol", "ts")
        assert ours.height == 2 * 140
        assert_frame_equal(ours, theirs, check_exact=True)


def test_a_backfill_remembers_its_engine_and_passes_it_to_what_curates():
    from datetime import date

    from dagster import AssetKey

    from jobs.backfill_piece import selection_of
    from market_data.backfill.estimate import Estimate
    from market_data.backfill.plan_json import plan_from_json, plan_to_json
    from market_data.backfill.plans import SPARK, BackfillPlan, BackfillRequest, Piece

    days = (date(2024, 2, 12), date(2024, 2, 16))
    request = BackfillRequest("curated/bars_1d", ("AAA",), *days, engine=SPARK)
    piece = Piece(0, Timeframe.D1, *days, ("AAA",), {"first": ("AAA",)})
    plan = BackfillPlan(request, (piece,), 0, 0, Estimate(0.0, 0.0))
    assert plan_from_json(plan_to_json(plan)) == plan
    old = plan_to_json(plan).replace('"engine": "spark", ', "")
    assert plan_from_json(old).request.engine == "local"
    steps = selection_of(piece, request).ops
    assert steps["curated__bars_1d"]["config"] == {"symbols": ["AAA"], "engine": "spark"}
    assert [n for n, step in steps.items() if "engine" in step["config"]] == ["curated__bars_1d"]
    for also in (replace(piece, features=True), replace(piece, curated=False)):
        steps = selection_of(also, request).ops
        far = {n for n, step in steps.items() if step["config"].get("engine") == "spark"}
        assert far == {"features_1d", *(["curated__bars_1d"] if also.curated else [])}
    assert AssetKey(["curated", "bars_1d"]) in selection_of(piece, request).keys
    local = selection_of(piece, replace(request, engine="local")).ops
    assert local["curated__bars_1d"]["config"] == {"symbols": ["AAA"]}


def test_an_executor_knows_the_calendars_of_the_configuration(
    given: CurationInput, monkeypatch: pytest.MonkeyPatch
):
    from market_data import calendar_versions
    from market_data.calendar_rules import CalendarRules
    from market_data.calendar_versions import rules_of, versioned

    rules = CalendarRules()
    code = versioned("fx", {"fx": rules})
    share = given.instruments[0].model_copy(update={"calendar": code})
    sent = _without_rows(replace(given, instruments=[share]))
    monkeypatch.setattr(calendar_versions, "_KNOWN", {})
    with pytest.raises(Exception, match="has not loaded"):
        rules_of(code)
    assert _opened(sent).instruments == [share]
    assert rules_of(code) == rules
