"""The daily checklist: what a person ticks off in the morning, and what is left open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from market_data.operations.checklist import checklist, checklist_account
from market_data.operations.evidence import Evidence
from market_data.operations.failed_sessions import FETCH, RUN, SCORE, Failed, inventory
from market_data.operations.grades import Grade
from market_data.operations.kept_reports import OLD, evaluate_kept
from market_data.operations.limits import OperationsLimits
from market_data.operations.observability import observability_account
from market_data.operations.quality_health import evaluate_quality
from market_data.operations.reports import MAKERS
from market_data.ports import Report
from market_data.ports.event_results import Dimension, OperationsReport
from tests.support.operations_rows import NOW, attempt, evidence, reach, score

LIMITS = OperationsLimits()
FINE = {"reached": (reach("AAA", 8),), "scores": (score("AAA", 7), score("AAA", 8))}


def graded(seen: Evidence) -> dict[str, Grade]:
    return {item.name: item.grade for item in checklist(seen, LIMITS)}


def test_a_good_day_is_ticked_off():
    seen = evidence(attempt(8), **FINE, former=(Report("readiness", NOW, "ok", {}),))
    assert graded(seen) == dict.fromkeys(
        [
            "jobs done", "data current", "no RED", "coverage", "anomaly log", "trends",
            "objectives", "readiness",
        ],
        Grade.OK,
    )  # fmt: skip
    account = checklist_account(seen, LIMITS)
    assert account.grade is Grade.OK
    assert "[ ]" not in account.to_markdown()


def test_an_empty_installation_has_nothing_open():
    assert checklist_account(evidence(), LIMITS).grade is Grade.OK


@pytest.mark.parametrize(
    ("item", "grade", "runs", "more"),
    [
        ("jobs done", Grade.WARN, [attempt(8, status="partial")], {}),
        ("jobs done", Grade.FAIL, [attempt(8, status="failed")], {}),
        # The newest attempt of a feed counts, not an earlier one of the same day.
        (
            "jobs done",
            Grade.OK,
            [attempt(8, fetch_id="a", status="failed", started_at=NOW - timedelta(hours=5)),
             attempt(8)],
            {},
        ),
        ("data current", Grade.FAIL, [attempt(8)], {"reached": (reach("BBB", 6),)}),
        ("no RED", Grade.FAIL, [], {"scores": (score("AAA", 8, status="RED"),)}),
        ("no RED", Grade.OK, [], {"scores": (score("AAA", 7, status="RED"), score("AAA", 8))}),
        # Nobody was asked: a fault only where bars are due.
        ("jobs done", Grade.OK, [], {"reached": (reach("AAA", 8),)}),
        ("jobs done", Grade.WARN, [], {"reached": (reach("AAA", 8), reach("BBB", 7))}),
        ("jobs done", Grade.WARN, [], {"reached": (reach("CCC", None),)}),
        (
            "coverage",
            Grade.WARN,
            [],
            {"scores": (score("AAA", 8, coverage=0.8, status="YELLOW"), score("BBB", 8))},
        ),
        ("anomaly log", Grade.WARN, [], {"scores": (score("AAA", 8, outliers=2),)}),
        ("anomaly log", Grade.WARN, [], {"quarantined": 3}),
        ("anomaly log", Grade.WARN, [], {"open_alerts": 1}),
        ("objectives", Grade.WARN, [], {"scores": (score("AAA", 8, score=0.8),)}),
    ],
)  # fmt: skip
def test_what_leaves_an_item_open(item: str, grade: Grade, runs: list, more: dict):
    assert graded(evidence(*runs, **more))[item] is grade


def test_a_week_end_of_one_symbol_hides_no_red_session_of_another():
    friday, pair = score("AAA", 1, status="RED", coverage=0.5), score("CCCUSD", 3)
    seen = evidence(scores=(score("AAA", 29, session=date(2024, 2, 29)), friday, pair))
    assert graded(seen)["no RED"] is Grade.FAIL
    assert graded(seen)["coverage"] is Grade.WARN
    assert evaluate_quality(seen.scores).grade is Grade.FAIL
    # One that is no longer scored says nothing of today.
    gone = score("OLD", 20, session=date(2024, 2, 20), status="RED")
    assert graded(evidence(scores=(gone, pair)))["no RED"] is Grade.OK
    assert evaluate_quality(evidence(scores=(gone, pair)).scores).grade is Grade.OK


def test_a_report_that_is_not_made_any_more_is_not_believed():
    made = {name: Report(name, NOW - OLD, "ok", {}) for name in ("readiness", "market_slice")}
    assert graded(evidence(former=tuple(made.values())))["readiness"] is Grade.OK
    older = {n: replace(r, at=r.at - timedelta(hours=1)) for n, r in made.items()}
    found = graded(evidence(former=tuple(older.values())))
    assert found["readiness"] is Grade.WARN
    # A slice is made whenever somebody asks for one.
    assert "market slice" in graded(evidence(former=tuple(made.values())))
    assert "market slice" not in found


def failed(kind: str, count: int = 2) -> Failed:
    days = (date(2024, 3, 6), date(2024, 3, 7))
    return Failed(kind, "curated/bars_1d", (), days, count, NOW, "it broke", "emp mend it")


def test_what_is_left_failed_is_an_item_until_it_is_made_good():
    assert "failed sessions" not in graded(evidence())
    entries = [failed(FETCH, 3), *(failed(RUN) for _ in range(7)), failed(SCORE, 9)]
    kept = inventory(entries, NOW)
    assert kept.body["counts"] == {"fetch": 3, "run": 14, "score": 9}
    (item,) = (
        i for i in checklist(evidence(former=(kept,)), LIMITS) if i.name == "failed sessions"
    )
    assert (item.grade, len(item.rows)) == (Grade.WARN, 5)
    assert item.text.startswith(
        "3 symbol-sessions that vendors left and 14 sessions that runs left"
    )
    assert item.rows[0]["cure"] == "emp mend it"
    text = checklist_account(evidence(former=(kept,)), LIMITS).to_markdown()
    assert "| [ ] | failed sessions |" in text
    # RED scores are an item of their own, and what was made good is none.
    for entries in ([failed(SCORE)], []):
        mended = inventory(entries, NOW)
        assert mended.status == "ok"
        assert graded(evidence(former=(mended,)))["failed sessions"] is Grade.OK
    stale = inventory([], NOW - OLD - timedelta(hours=1))
    assert graded(evidence(former=(stale,)))["failed sessions"] is Grade.WARN


def test_the_spot_check_shows_the_symbols_that_lack_most():
    scores = tuple(
        score(f"S{n}", 8, coverage=n / 10, status="RED" if n < 5 else "YELLOW") for n in range(10)
    )
    (found,) = (i for i in checklist(evidence(scores=scores), LIMITS) if i.name == "coverage")
    assert [row["symbol"] for row in found.rows] == ["S0", "S1", "S2", "S3", "S4"]
    assert found.text == "10 of 10 lack bars; the least is 0.0%"


def test_the_markdown_lists_the_items_and_what_a_person_looks_at():
    text = checklist_account(
        evidence(scores=(score("AAA", 8, status="RED"),)), LIMITS
    ).to_markdown()
    assert text.startswith("# Daily checklist: fail\n")
    assert "| [ ] | no RED | 1 of 1 symbols are RED in their newest session |" in text
    assert "| [x] | trends | nothing found |" in text
    assert "## No red\n\n| dataset | symbol | session | score | reasons |" in text


def test_the_payload_of_one_piece():
    account = observability_account(evidence(attempt(8), **FINE), LIMITS)
    told = account.to_json()
    assert (told["recovery"], told["failover"], told["failover_drill"]) == (None, None, None)
    assert told["dimensions"]["daily_bars"]["status"] == "ok"
    assert told["dimensions"]["daily_bars"]["metrics"]["rows"] == 1
    assert told["latency_milliseconds"][0]["p50"] == 10_000.0


def test_the_payload_tells_of_stale_symbols():
    looked = Report("ingest_recovery", NOW, "warn", {"given_up": [], "launched": 1})
    account = observability_account(evidence(attempt(8), **FINE, former=[looked]), LIMITS)
    assert account.to_json()["recovery"] == looked.body


def test_one_bad_day_does_not_keep_itself_open_by_way_of_readiness():
    def readiness(**sections: str) -> Report:
        told = {name: {"status": status} for name, status in sections.items()}
        return Report("readiness", NOW, "fail", {"sections": told})

    mended = readiness(kafka="off", quality="ok", daily_checklist="fail")
    assert graded(evidence(former=(mended,)))["readiness"] is Grade.OK
    ill = readiness(kafka="fail", daily_checklist="ok")
    assert graded(evidence(former=(ill,)))["readiness"] is Grade.FAIL


def test_readiness_has_what_the_newest_report_said_and_how_old_it_is():
    bad = checklist_account(evidence(scores=(score("AAA", 8, status="RED"),)), LIMITS).to_keep()
    assert evaluate_kept("daily_checklist", None, NOW).word == "off"
    section = evaluate_kept("daily_checklist", bad, NOW + timedelta(days=1))
    assert section.grade is Grade.FAIL
    assert section.reasons[0].text.startswith("no RED: 1 of 1 symbols are RED")
    good = checklist_account(evidence(), LIMITS).to_keep()
    assert evaluate_kept("daily_checklist", good, NOW).grade is Grade.OK
    old = evaluate_kept("daily_checklist", good, NOW + timedelta(days=3))
    assert old.grade is Grade.WARN
    assert "it is 3 days old" in old.reasons[0].text
    many = Report(
        "slo_report",
        NOW,
        "warn",
        {
            "findings": [
                dict.fromkeys(("grade", "subject", "text", "code", "value", "limit"), "warn")
            ]
            * 9
        },
    )
    assert len(evaluate_kept("slo_report", many, NOW).reasons) == 6
    plain = {
        "grade": "warn",
        "subject": "",
        "text": "few",
        "code": "",
        "value": None,
        "limit": None,
    }
    alone = Report("slo_report", NOW, "warn", {"findings": [plain]})
    assert evaluate_kept("slo_report", alone, NOW).reasons[0].text == "few"


def test_every_report_is_made_under_its_name():
    for name, make in MAKERS.items():
        account = make(evidence(), LIMITS)
        assert account.name == name
        assert account.to_keep().name == name
        assert account.to_markdown().startswith(f"# {account.title}: ok\n")
        assert account.section().name == name
        assert OperationsReport(report=name, status="ok", body={}).report == name


def test_every_name_that_listeners_know_is_that_of_a_report():
    told = {OperationsReport(report=name, status="ok", body={}).dimension for name in MAKERS}
    others = {Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.QUALITY}
    assert told == set(Dimension) - others
