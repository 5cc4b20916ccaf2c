"""The quality report: what it shows, and that its page stays small and loads nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import polars as pl
import pytest

from adapters.runbooks import linked_runbooks
from market_data.quality.health import JUDGED
from market_data.quality.report import SHOWN_SYMBOLS, dataset_report
from market_data.quality.thresholds import Thresholds
from market_data.schemas import FINDINGS
from tests.support.quality_reports import DRIFT, FIRST, report, written


def test_neighbours_of_one_level_are_one_run(thresholds: Thresholds) -> None:
    told = report(
        thresholds,
        ["AAA", "BBB"],
        bad={("BBB", 2): {"status": "RED", "coverage": 0.8, "codes": "coverage_low"}},
    )
    assert [s["symbol"] for s in told.symbols] == ["BBB", "AAA"]
    seen = [(r["row"], r["first"], r["last"], r["level"]) for r in told.scores.runs]
    assert seen == [(0, 0, 1, "full"), (0, 2, 2, "red"), (0, 3, 4, "full"), (1, 0, 4, "full")]
    levels = [r["level"] for r in told.coverage.runs if r["row"] == 0]
    assert levels == ["full", "yellow", "full"]


def test_a_hole_in_the_sessions_of_a_symbol_stays_a_hole(thresholds: Thresholds) -> None:
    whole = report(thresholds, ["AAA", "BBB"])
    judged = pl.DataFrame(
        [
            (s, FIRST + timedelta(days=d), "GREEN", None, None, 0, 0, "")
            for s, d in [("AAA", 0), ("AAA", 2), ("BBB", 1)]
        ],
        schema=JUDGED,
        orient="row",
    )
    limits = pl.DataFrame(
        {"symbol": ["AAA", "BBB"], "coverage_warn": 0.9, "coverage_error": 0.7, "drift_error": 0.01}
    )
    told = dataset_report(whole.health, judged, FINDINGS.empty(), pl.DataFrame(), limits)
    assert [(r["row"], r["first"], r["last"]) for r in told.coverage.runs] == [
        (0, 0, 0),
        (0, 2, 2),
        (1, 1, 1),
    ]
    assert {r["level"] for r in told.coverage.runs} == {"none"}


def test_the_page_tells_of_findings_drift_and_the_worst(thresholds: Thresholds) -> None:
    found = FINDINGS.conform(
        pl.DataFrame(
            [
                {
                    "check": "drift",
                    "code": "drift",
                    "severity": "error",
                    "dataset": "curated/bars_1d",
                    "symbol": "AAA",
                    "session": FIRST,
                    "value": 0.02,
                    "threshold": 0.01,
                    "rows": 1,
                    "detail": "two vendors <b>disagree",
                }
            ]
        )
    )
    drift = pl.DataFrame([{"symbol": "AAA", "session": FIRST, **DRIFT}])
    bad = {("AAA", 0): {"status": "RED", "codes": "drift", "errors": 1}}
    told = report(thresholds, ["AAA", "BBB"], bad=bad, findings=found, drift=drift)
    assert [(d["symbol"], d["limit"], d["share"]) for d in told.drift] == [("AAA", 0.01, 2.0)]
    assert (told.codes[0]["code"], told.codes[0]["findings"]) == ("drift", 1)
    text = written(told)
    assert 'href="docs/runbooks/check-drift.md#drift"' in text
    assert "two vendors &lt;b&gt;disagree" in text
    assert "<b>" not in re.sub(r"<b>(RED|YELLOW)</b>", "", text)
    assert "2.0000 %" in text


def test_codes_are_plain_text_where_the_runbooks_have_no_address(thresholds: Thresholds) -> None:
    row = {"check": "drift", "code": "drift", "severity": "error", "dataset": "curated/bars_1d"}
    place = {"symbol": "AAA", "session": FIRST, "value": 0.02, "threshold": 0.01, "rows": 1}
    found = FINDINGS.conform(pl.DataFrame([{**row, **place, "detail": ""}]))
    text = written(report(thresholds, ["AAA"], findings=found), runbooks="")
    assert "<td>drift</td><td>drift</td>" in text
    assert 'href="' not in text.replace('href="#', "")


def test_the_runbooks_of_the_installation_are_linked_by_file() -> None:
    address = linked_runbooks("docs/runbooks")
    assert address.startswith("file:///")
    assert (Path(unquote(urlsplit(address).path)) / "check-drift.md").is_file()
    assert linked_runbooks("https://docs.example.com/runbooks/").startswith("https://docs.")


def test_runbooks_that_are_not_there_are_not_linked(tmp_path: Path) -> None:
    assert linked_runbooks("docs/nowhere") == ""
    assert linked_runbooks(str(tmp_path)) == tmp_path.as_uri()


def test_the_page_loads_nothing(thresholds: Thresholds) -> None:
    text = written(report(thresholds, ["AAA"]))
    assert not re.search(r"(src|href)\s*=\s*[\"']?(?!#|docs/)|url\(|@import|https?://", text)


def test_an_empty_store_has_a_page(thresholds: Thresholds) -> None:
    assert 'id="empty"' in written()
    nothing = dataset_report(
        report(thresholds, ["AAA"]).health,
        pl.DataFrame(schema=JUDGED),
        FINDINGS.empty(),
        pl.DataFrame(),
        pl.DataFrame(
            schema={
                "symbol": pl.String,
                "coverage_warn": pl.Float64,
                "coverage_error": pl.Float64,
                "drift_error": pl.Float64,
            }
        ),
    )
    assert "No session of this period was due" in written(nothing)


@pytest.mark.parametrize(("symbols", "most"), [(20, 60_000), (3000, 900_000)])
def test_long_lists_stay_small(thresholds: Thresholds, symbols: int, most: int) -> None:
    names = [f"S{n:04}" for n in range(symbols)]
    bad = {(name, 3): {"status": "YELLOW", "score": 0.8} for name in names[::7]}
    told = report(thresholds, names, days=60, bad=bad)
    assert len(told.scores.symbols) == min(symbols, SHOWN_SYMBOLS)
    assert len(told.symbols) == symbols
    assert len(written(told)) < most
