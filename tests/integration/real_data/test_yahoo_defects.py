"""Files of Yahoo with a known defect, each beside its mended twin.

What belongs here: that the detector which docs/quality.md names for a defect finds it on the right
sessions, and nothing of that code in the twin. What does not: invented faults.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from market_data.quality.consistency import check_adjustment_chain, check_phantom_dividends
from market_data.quality.false_ticks import find_false_ticks
from market_data.quality.findings import CheckOutcome
from market_data.quality.jumps import check_jumps, find_jumps
from market_data.timeframes import Timeframe

ALWAYS = (date.min, date.max)
DATASET = "raw/yahoo_bars_1d"
Detect = Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], CheckOutcome]


def read(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars of a file, on its own basis (divided by splits), and its dividends."""
    table = pl.read_csv(path)
    bars = table.select(
        session=pl.col(table.columns[0]).str.slice(0, 10).str.to_date(),
        symbol=pl.lit("AAA"),
        fetch_id=pl.lit("f"),
        open=pl.col("Open").cast(pl.Float64),
        close=pl.col("Close").cast(pl.Float64),
        adj_close=pl.col("Adj Close").cast(pl.Float64),
        value=pl.col("Dividends").cast(pl.Float64),
    ).sort("session")
    timed = bars.with_columns(ts=pl.col("session").cast(pl.Datetime("us", "UTC")))
    paid = bars.filter(pl.col("value") > 0)
    actions = paid.select("symbol", "value", ex_date="session", kind=pl.lit("dividend"))
    return timed, actions


def jumps(bars: pl.DataFrame, actions: pl.DataFrame, limits: pl.DataFrame) -> CheckOutcome:
    ticks = find_false_ticks(bars, limits, timeframe=Timeframe.D1)
    found = find_jumps(bars, limits, actions=actions, false_ticks=ticks)
    return check_jumps(found, check="price_sanity", dataset=DATASET, sessions=ALWAYS)


def chain(bars: pl.DataFrame, actions: pl.DataFrame, limits: pl.DataFrame) -> CheckOutcome:
    return check_adjustment_chain(bars, actions, limits, dataset=DATASET, sessions=ALWAYS)


def phantoms(_bars: pl.DataFrame, actions: pl.DataFrame, _limits: pl.DataFrame) -> CheckOutcome:
    return check_phantom_dividends(actions, dataset=DATASET, sessions=ALWAYS)


PAIRS = [
    # A split of 5:1 that was worked into the last days before it, and into none before those.
    ("4063-T-1d-bad-stock-split", jumps, "jump", [date(2023, 3, 29)]),
    # Pence for nine days, pounds before and after.
    (
        "AET-L-1d-100x-error",
        jumps,
        "unit_error",
        [date(2022, 5, day) for day in (9, 10, 11, 12, 13, 16, 17, 18, 19)],
    ),
    # A dividend that the adjusted close knows nothing of.
    ("8TRA-DE-1d-missing-div-adjust", chain, "adjustment_chain", [date(2023, 6, 2)]),
    # A dividend told twice, the second time a day later and a little higher.
    ("KAP-IL-1d-bad-div", phantoms, "phantom_dividend", [date(2022, 7, 13)]),
]


@pytest.fixture(scope="module")
def limits() -> pl.DataFrame:
    rules = load_thresholds(Settings()).rule("equity", "1d").model_dump()
    return pl.DataFrame([{"symbol": "AAA", "asset_class": "equity", **rules}])


@pytest.mark.parametrize(("name", "detect", "code", "sessions"), PAIRS)
def test_the_defect_is_found_and_its_mended_twin_is_clean(
    test_data: Path,
    limits: pl.DataFrame,
    name: str,
    detect: Detect,
    code: str,
    sessions: list[date],
) -> None:
    folder = test_data / "defects_yahoo"
    bad = detect(*read(folder / f"{name}.csv"), limits).findings
    assert bad.select("session", "code").rows() == [(s, code) for s in sessions]
    fixed = detect(*read(folder / f"{name}-fixed.csv"), limits).findings
    assert fixed.filter(pl.col("code") == code).is_empty()


@pytest.mark.parametrize("detect", [jumps, chain, phantoms])
def test_three_years_of_sound_dividends_raise_no_alarm(
    test_data: Path, limits: pl.DataFrame, detect: Detect
) -> None:
    bars, actions = read(test_data / "defects_yahoo/EWG-1d-no-bad-divs.csv")
    assert actions.height > 3
    assert detect(bars, actions, limits).findings.is_empty()


def test_the_page_about_quality_names_every_pair() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/quality.md").read_text()
    told = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "-1d-" in line}
    for name, _, code, sessions in PAIRS:
        assert f"`{code}`" in told[name]
        assert told[name].endswith(f"| {', '.join(map(str, sessions))} |")
