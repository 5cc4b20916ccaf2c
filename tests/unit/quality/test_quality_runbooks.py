"""Every finding leads to a page that says what to do, and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from emp.cli import command
from market_data.features.checks import CHECKS as FEATURE_CHECKS
from market_data.quality.actions import ACTIONS
from market_data.quality.checks import CHECKS
from market_data.quality.quarantine_checks import CHECKS as REFUSED_CHECKS
from market_data.quality.runbooks import page_of, page_of_all, page_of_check
from market_data.quality.thresholds import Rules

DOCS = Path(__file__).resolve().parents[3] / "docs"
FOLDER = DOCS / "runbooks"
MACRO = next(action.codes for action in ACTIONS if action.finding == "macro release")
FEATURES = next(action.codes for action in ACTIONS if action.finding == "features")
REFUSED = next(action.codes for action in ACTIONS if action.finding == "refused rows")
PREDICTED = next(action.codes for action in ACTIONS if action.finding == "predictions")
OTHERS = MACRO | FEATURES | REFUSED | PREDICTED
CODES = sorted(code for a in ACTIONS for code in a.codes if code not in OTHERS)
PAGES = sorted(page_of_check(check) for check in CHECKS)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_place_in_a_page(code: str) -> None:
    page, _, place = page_of(code).partition("#")
    assert page in PAGES
    assert place == code
    assert f"\n## {code}\n" in (FOLDER / page).read_text()


def test_no_page_names_a_code_that_nothing_finds() -> None:
    told = [
        c for p in PAGES for c in re.findall(r"^## (\w+)$", (FOLDER / p).read_text(), re.MULTILINE)
    ]
    assert sorted(told) == CODES


def test_several_codes_lead_to_the_page_without_a_place() -> None:
    assert page_of_all(["drift"], "drift") == "check-drift.md#drift"
    assert page_of_all(["drift", "drift_outlier"], "drift") == "check-drift.md"
    assert page_of_all(["value_overdue"], "staleness") == "check-macro.md#value_overdue"


def test_every_code_of_macro_releases_has_a_place() -> None:
    macro = DOCS.parent / "market_data/macro"
    found = "".join((macro / f"{name}.py").read_text() for name in ("checks", "date_checks"))
    codes = set(re.findall(r'^        "([a-z]+_[a-z_]+)",$', found, re.MULTILINE))
    assert len(codes) == 11
    assert codes == MACRO
    page = (FOLDER / "check-macro.md").read_text()
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == codes
    assert {page_of(code) for code in codes} == {f"check-macro.md#{code}" for code in codes}


def test_a_strange_code_leads_to_the_page_of_its_check() -> None:
    assert page_of("of_tomorrow", "false_ticks") == "check-false-ticks.md#of_tomorrow"


def test_every_code_of_features_has_a_place() -> None:
    found = (DOCS.parent / "market_data/features/checks.py").read_text()
    assert set(re.findall(r'"(features?_[a-z]+)"', found)) == FEATURES
    page = (FOLDER / "check-features.md").read_text()
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == FEATURES
    assert {page_of(code) for code in FEATURES} == {f"check-features.md#{c}" for c in FEATURES}


@pytest.mark.parametrize(
    ("codes", "module", "page"),
    [
        (REFUSED, "quality/quarantine_checks.py", "check-quarantine.md"),
        (PREDICTED, "features/prediction_checks.py", "check-predictions.md"),
    ],
)
def test_every_code_of_a_dataset_of_its_own_has_a_place(
    codes: frozenset[str], module: str, page: str
) -> None:
    found = set(re.findall(r'"([a-z_]+)"', (DOCS.parent / "market_data" / module).read_text()))
    assert found >= codes
    assert set(re.findall(r"^## (\w+)$", (FOLDER / page).read_text(), re.MULTILINE)) == codes
    assert {page_of(code) for code in codes} == {f"{page}#{code}" for code in codes}


OTHER_PAGES = [f"check-{name}.md" for name in ("macro", "features", "quarantine", "predictions")]


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES])
def test_links_and_commands_of_a_page_exist(page: str) -> None:
    text = (FOLDER / page).read_text()
    for link in re.findall(r"\]\(([\w.-]+)\)", text):
        assert (FOLDER / link).exists(), link
    for line in re.findall(r"^ {7}emp (.+)$", text, re.MULTILINE):
        words, found = shlex.split(line), command()
        while words and words[0] in getattr(found, "commands", {}):
            found = found.commands[words.pop(0)]
        known = {o for p in found.params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, line


def test_the_page_about_quality_names_every_check_code_and_limit() -> None:
    text = (DOCS / "quality.md").read_text()
    table = text[text.index("## The checks") : text.index("## The score")]
    of_bars, others = table.split("Datasets of features", maxsplit=1)
    of_features, others = others.split("Of these, `features/predictions`", maxsplit=1)
    of_models, of_refused = others.split("The log of refused rows", maxsplit=1)
    parts = (of_bars, of_features, of_refused)
    named = [re.findall(r"^\| (\w+) \| `", part, re.MULTILINE) for part in parts]
    assert named == [list(CHECKS), list(FEATURE_CHECKS), list(REFUSED_CHECKS)]
    assert [c for c in REFUSED if f"`{c}`" not in of_refused] == []
    assert [c for c in PREDICTED if f"`{c}`" not in of_models] == []
    assert [c for c in CODES if f"`{c}`" not in table] == []
    assert [limit for limit in Rules.model_fields if f"`{limit}" not in text] == []
