"""`emp annotate` on two vendors that drift: accept, settle, mark unusable, list, take back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

import emp
from adapters.backend import open_platform
from adapters.settings import PROJECT, Settings
from emp.cli import run
from emp.hearing import RunRecord
from emp.instance import open_instance
from emp.platforms import installation
from emp_assets.naming import curated_key
from market_data.datasets import SCORES_DATASET, raw_bars
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.inspection import inspect_scores
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")
DRIFTING = "2024-01-04"
SPAN = ("--start", DRIFTING, "--end", DRIFTING)
ALL = ("--start", DAYS[0], "--end", DAYS[-1])
WHY = ("--reason", "asked the exchange", "--author", "ana")
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def two_vendors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars of MINE from two vendors that disagree by 3 % on one day."""
    folder = tmp_path_factory.mktemp("annotate")
    vendors = []
    for vendor, close in (("first", 10.5), ("second", 10.8)):
        path = folder / f"{vendor}.csv"
        rows = [
            f"{d},10,11,9,{close if d == DRIFTING else 10.5},{100 + n}" for n, d in enumerate(DAYS)
        ]
        path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
        vendors.append(FileVendor(vendor, {"1d": ("plain_daily", path)}, ("MINE",)))
    mine = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    world = World.at(folder, datetime(2024, 1, 8, tzinfo=UTC))
    world = world.register(*vendors, instruments=(mine,))
    world.load_and_curate(("first", "second"), "1d", "MINE", DAYS[0], DAYS[-1])
    score_range(world.platform, ["MINE"], date(2024, 1, 2), date(2024, 1, 5))
    return folder


@pytest.fixture
def call(
    two_vendors: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command; what it printed as JSON."""
    monkeypatch.setenv("EMP_DATA_DIR", str(two_vendors / "data"))

    def caller(*arguments: str, status: int = 0) -> Any:
        capfd.readouterr()
        assert run(arguments) == status, capfd.readouterr().err
        out, err = capfd.readouterr()
        return json.loads(out) if status == 0 else err

    return caller


@pytest.fixture
def without_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curates and scores as a run of the graph does; each run takes seconds to start."""

    def curated(
        settings: Settings,
        timeframe: Timeframe,
        symbols: list[str],
        first: date,
        last: date,
        **_: Any,
    ) -> RunRecord:
        platform = open_platform(settings)
        curate_sessions(platform, timeframe, symbols, first, last)
        score_range(platform, symbols, first, last)
        return RunRecord("", succeeded=True)

    monkeypatch.setattr("emp.run.run_curation", curated)


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The sessions whose bars have a part in features that are made anew."""
    asked: list[tuple[Any, ...]] = []

    def renew(_: Settings, symbol: str, changed: list[tuple[date, date]], __: Any) -> bool:
        asked.append((symbol, *(str(day) for span in changed for day in span)))
        return True

    monkeypatch.setattr("emp.run.renew_features", renew)
    return asked


def statuses(**how: Any) -> list[tuple[str, str]]:
    return (
        emp.get_curated_bars("MINE", *ALL[1::2], quality="all", **how)
        .select("source", "dq_status")
        .rows()
    )


def scored() -> dict[str, str]:
    scores = emp.get_quality_scores("MINE", DAYS[0], DAYS[-1], "1d")
    return dict(scores.select(pl.col("session").cast(pl.String), "status").rows())


def states() -> set[tuple[str, str]]:
    found = emp.get_findings("MINE", DRIFTING, DRIFTING).filter(pl.col("code") == "drift")
    return set(found.select("dataset", "state").rows())


def raw() -> list[pl.DataFrame]:
    log = open_platform(installation(None)).raw_log
    return [log.read(raw_bars(v, Timeframe.D1), symbols=["MINE"]) for v in ("first", "second")]


@pytest.mark.usefixtures("without_dagster")
def test_a_drift_is_accepted_settled_and_taken_back(call: Call) -> None:
    untouched = raw()
    assert statuses()[2] == ("first", "error")
    assert scored()[DRIFTING] == "RED"

    # A rehearsal writes nothing.
    would = call("annotate", "accept", "MINE", "--code", "drift", *SPAN, *WHY, "--dry-run")
    assert (would["dry_run"], [f["code"] for f in would["findings"]]) == (True, ["drift"])
    assert call("annotate", "list", "--json") == []

    # An accepted finding is listed, and no longer makes the session RED.
    accepted = call("annotate", "accept", "MINE", "--code", "drift", *SPAN, *WHY)
    assert accepted["curated_again"] == [
        {
            "symbol": "MINE",
            "timeframe": "1d",
            "first": DRIFTING,
            "last": DRIFTING,
            "sessions": 1,
            "held_back": False,
        }
    ]
    assert scored()[DRIFTING] == "GREEN"
    open_still = {("raw/first_bars_1d", "open"), ("raw/second_bars_1d", "open")}
    assert states() == {("curated/bars_1d", "accepted"), *open_still}
    assert statuses()[2] == ("first", "error")
    health = call("health", "curated/bars_1d", "--as-of", "2024-01-06", "--json")
    assert (health["symbol_sessions"]["RED"], health["accepted_findings"]) == (0, 1)
    again = call("annotate", "accept", "MINE", "--code", "drift", *SPAN, *WHY)
    assert (again["stood_already"], again["decision"]["id"]) == (True, accepted["decision"]["id"])

    # Settled, the session comes from the vendor who is right, and is trusted.
    settle = ("annotate", "settle", "MINE", "--vendor", "second", *WHY)
    longer = call(*settle, "--start", DAYS[0], "--end", "2024-01-08", "--dry-run")
    assert longer["sessions_without_bars"] == ["2024-01-08"]
    settled = call(*settle, *ALL)
    assert settled["sessions_without_bars"] == []
    assert [(c["first"], c["last"]) for c in settled["curated_again"]] == [(DAYS[0], DAYS[-1])]
    assert statuses() == [("second", "ok")] * 4
    assert states() == {
        (f"{d}_1d", "accepted") for d in ("curated/bars", "raw/first_bars", "raw/second_bars")
    }
    # As of an earlier time nobody had decided anything.
    before = accepted["decision"]["created_at"]
    assert statuses(as_of=before)[2][1] == "error"
    assert statuses(as_of="2124-01-01") == [("second", "ok")] * 4

    number = str(settled["decision"]["id"])
    back = call("annotate", "take-back", number, *WHY[:2])
    assert [(c["first"], c["last"]) for c in back["curated_again"]] == [(DAYS[0], DAYS[-1])]
    assert statuses()[2] == ("first", "error")
    call("annotate", "take-back", number, *WHY[:2], status=1)

    first = str(accepted["decision"]["id"])
    opened = call("annotate", "take-back", first, *WHY[:2])
    assert [f["code"] for f in opened["open_again"]] == ["drift"]
    assert scored()[DRIFTING] == "RED"
    assert call("annotate", "list", "--json") == []
    listed = call("annotate", "list", "--all", "--json")
    assert [row["state"] for row in listed] == ["taken back"] * 2 + ["take back"] * 2
    for was, now in zip(untouched, raw(), strict=True):
        assert_frame_equal(was, now)


def test_findings_of_raw_bars_are_accepted_alone(call: Call) -> None:
    of_raw = ("--dataset", "raw/first_bars_1d")
    accepted = call("annotate", "accept", "MINE", *of_raw, *SPAN, *WHY)
    assert [(f["dataset"], f["code"]) for f in accepted["findings"]] == [(of_raw[1], "drift")]
    assert accepted["curated_again"] == []
    others = {("curated/bars_1d", "open"), ("raw/second_bars_1d", "open")}
    assert states() == {*others, (of_raw[1], "accepted")}
    assert scored()[DRIFTING] == "RED"
    call("annotate", "take-back", str(accepted["decision"]["id"]), *WHY[:2])
    assert states() == {*others, (of_raw[1], "open")}


def test_findings_of_scores_are_accepted(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores that were made before a rule changed, and are meant to stay."""
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    monkeypatch.setenv("EMP_CONFIG_DIR", str(config))
    entry = {"name": "x", "datasets": ["curated/*"], "symbols": ["MINE"], "at_most": 9}
    (config / "expectations.yaml").write_text(yaml.safe_dump({"expectations": [entry]}))

    def of_scores() -> tuple[list[str], list[str]]:
        """Codes that are open, and those that are accepted."""
        day = date.fromisoformat(DRIFTING)
        seen = inspect_scores(open_platform(installation(None)), day, day)
        return seen.findings["code"].to_list(), seen.accepted["code"].to_list()

    assert of_scores() == (["rules_changed"], [])
    chosen = ("--dataset", "quality/scores", "--code", "rules_changed", *SPAN, *WHY)
    accepted = call("annotate", "accept", "MINE", *chosen)
    assert accepted["curated_again"] == []
    assert of_scores() == ([], ["rules_changed"])
    assert scored()[DRIFTING] == "RED", "the score itself stays"
    call("annotate", "take-back", str(accepted["decision"]["id"]), *WHY[:2])
    assert of_scores() == (["rules_changed"], [])


def test_a_finding_about_no_single_symbol_is_accepted(call: Call) -> None:
    """The mean score of a day fell: that is about the day, not about one of its symbols."""
    platform = open_platform(installation(None))
    kept = platform.store.scan(SCORES_DATASET, symbols=["MINE"])
    days = (date.fromisoformat(DAYS[0]), date.fromisoformat(DAYS[-1]))
    fallen = pl.when(pl.col("session") == days[1]).then(0.2).otherwise("score")

    def write(scores: pl.DataFrame) -> None:
        platform.store.replace(SCORES_DATASET, scores, sessions=days, symbols=["MINE"])

    def of_scores() -> tuple[list[str], list[str]]:
        seen = inspect_scores(open_platform(installation(None)), days[1], days[1])
        return seen.findings["symbol"].to_list(), seen.accepted["symbol"].to_list()

    write(kept.with_columns(score=fallen))
    try:
        assert of_scores() == (["*"], [])
        chosen = ("--dataset", "quality/scores", "--start", DAYS[-1], "--end", DAYS[-1], *WHY)
        accepted = call("annotate", "accept", "*", *chosen)
        assert [f["code"] for f in accepted["findings"]] == ["score_shift"]
        assert of_scores() == ([], ["*"])
        call("annotate", "take-back", str(accepted["decision"]["id"]), *WHY[:2])
        assert of_scores() == (["*"], [])
    finally:
        write(kept)
    # Every symbol at once is no decision about bars.
    assert "'*'" in call("annotate", "unusable", "*", *SPAN, *WHY[:2], status=1)


def test_unusable_sessions_are_masked_as_they_are_read(
    call: Call, two_vendors: Path, renewed: list[tuple[Any, ...]]
) -> None:
    day = DAYS[1]
    decided = call("annotate", "unusable", "MINE", "--start", day, "--end", day, *WHY)
    assert decided["curated_again"] == []
    assert renewed == [("MINE", day, day)]
    served = emp.get_curated_bars("MINE", DAYS[0], DAYS[-1])
    assert day not in served["session"].cast(pl.String).to_list()
    marked = emp.get_curated_bars("MINE", day, day, quality="all")
    assert marked.select("dq_status", "flags").rows() == [("error", "unusable")]
    found = call("quality", "--symbols", "MINE", "--start", day, "--end", day, "--json")
    assert [d["decision"] for d in found["decisions"]] == ["unusable"]
    assert [(s["status"], s["reasons"]) for s in found["scores"]] == [("RED", "unusable")]
    assert scored()[day] == "GREEN", "what was measured stays as it was"
    (row,) = call("quality", "summary", "--symbols", "MINE", "--start", day, "--end", day, "--json")
    assert (row["status"], row["unusable_by"]) == ("RED", decided["decision"]["author"])
    report = two_vendors / "report.html"
    assert run(["report", "quality", *ALL, "--out", str(report)]) == 0
    page = report.read_text()
    assert f"marked unusable by {row['unusable_by']}" in page
    assert "Decisions about these sessions" in page
    assert "asked the exchange" in page
    known_before = emp.get_curated_bars("MINE", day, day, as_of=decided["decision"]["created_at"])
    assert known_before.is_empty()
    call("annotate", "take-back", str(decided["decision"]["id"]), *WHY[:2])
    assert emp.get_curated_bars("MINE", day, day).height == 1
    assert renewed == [("MINE", day, day)] * 2


def test_bars_are_made_up_where_a_decision_or_a_reader_asks(
    call: Call, renewed: list[tuple[Any, ...]]
) -> None:
    bars = ("bars", "MINE", "--start", DAYS[0], "--end", "2024-01-08", "--format", "json")
    assert "is_imputed_close" not in call(*bars)[0]
    read = call(*bars, "--impute", "prices=ffill,volume=zero", "--columns", "is_imputed_close")
    # The day on which vendors drift is withheld; the last one is not there.
    assert [row["is_imputed_close"] for row in read] == [False, False, True, False, True]

    how = ("--how", "volume=zero,prices=ffill", *SPAN, *WHY)
    decided = call("annotate", "impute", "MINE", *how)
    assert decided["decision"]["what"].endswith("close=ffill,volume=zero,limit=3")
    rows = call(*bars)
    assert [(r["close"], r["volume"]) for r in rows if r["is_imputed_close"]] == [(10.5, 0.0)]
    assert call("annotate", "impute", "MINE", *how)["stood_already"]
    assert "all four" in call(
        "annotate", "impute", "MINE", "--how", "volume=zero", *how[2:], status=1
    )
    call("annotate", "take-back", str(decided["decision"]["id"]), *WHY[:2])
    assert len(call(*bars)) == 3
    assert renewed == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("accept", "MINE", "--code", "jump"), "no open finding with the code jump"),
        (("accept", "NOSUCH"), "NOSUCH"),
        (("accept", "MINE", "--dataset", "curated/nothing"), "no dataset 'curated/nothing'"),
        (("unusable", "MINE", "--dataset", "raw/first_bars_1d"), "about curated bars"),
        (("settle", "MINE", "--vendor", "yahoo"), "yahoo has no 1d bars of MINE"),
        (("settle", "MINE", "--vendor", "nobody"), "nobody"),
        (("settle", "MINE", "--vendor", ""), "--vendor is empty"),
        (("impute", "MINE", "--how", ""), "--how is empty"),
        (
            ("accept", "MINE", "--code", "drift", "--code", "jmup"),
            "no open finding with the code jmup about MINE",
        ),
    ],
)
def test_a_decision_about_nothing_is_refused(
    call: Call, arguments: tuple[str, ...], told: str
) -> None:
    assert told in call("annotate", *arguments, *SPAN, *WHY, status=1)
    assert call("annotate", "list", "--json") == []


def test_a_decision_without_a_reason_is_refused(call: Call) -> None:
    arguments = ("annotate", "unusable", "MINE", *SPAN, "--reason", " ")
    assert "--reason is empty" in call(*arguments, status=1)


def test_a_run_judges_anew_what_was_accepted(call: Call) -> None:
    """The graph itself: its check passes, its summary lists what was accepted."""
    accepted = call("annotate", "accept", "MINE", *SPAN, *WHY)
    assert accepted["decision"]["what"] == "drift"
    assert scored()[DRIFTING] == "GREEN"
    with open_instance(installation(None)) as instance:
        newest = instance.get_run_records(limit=1)[0].dagster_run.run_id
        events = [e.dagster_event for e in instance.all_logs(newest) if e.dagster_event]
    told = [
        e.event_specific_data
        for e in events
        if e.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    found = {e.check_name: e for e in told if e.asset_key == curated_key(Timeframe.D1)}
    assert found["drift"].passed
    assert found["run_summary"].metadata["accepted_findings"].value == 1
    # Open again, the finding holds the session back; its score says so all the same.
    back = call("annotate", "take-back", str(accepted["decision"]["id"]), *WHY[:2])
    assert [again["held_back"] for again in back["curated_again"]] == [True]
    assert scored()[DRIFTING] == "RED"
