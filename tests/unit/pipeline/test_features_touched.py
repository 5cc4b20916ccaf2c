"""Which stored features are made anew when bars, splits or decisions change."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

import emp.run
from adapters.settings import Settings
from emp.narration import Narrator
from emp_assets.features.confluence import KEY as CONFLUENCE
from emp_assets.features.macro_context import KEY as MACRO
from emp_assets.features.made import feature_key
from jobs.ranged_run import Selection
from market_data.datasets import Dataset
from market_data.features.registry import Kind, group_for
from market_data.features.windows import touched_until
from market_data.pipeline.features_touched import Touched, touched
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

D1, M1 = Timeframe.D1, Timeframe.M1
HELD = {
    "price_1d_v1": (date(2020, 1, 2), date(2024, 3, 28)),
    "labels_1m_v1": (date(2024, 2, 1), date(2024, 2, 29)),
}


class Store:
    """Features of AAA, by their sessions alone; its bars have no hole."""

    def latest(self, dataset: Dataset, *, symbols: list[str]) -> pl.DataFrame:
        if dataset.name.startswith("curated/"):
            return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
        return self.scan(dataset, symbols=symbols, sessions=(date.min, date.max)).tail(1)

    def scan(
        self, dataset: Dataset, *, symbols: list[str], sessions: tuple[date, date], **_: Any
    ) -> pl.DataFrame:
        held = HELD.get(dataset.name.removeprefix("features/")) if symbols == ["AAA"] else None
        every = pl.date_range(*held, eager=True) if held else []
        days = pl.DataFrame({"session": every}, schema={"session": pl.Date})
        return days.filter(pl.col("session").is_between(*sessions))


UNIVERSE = SimpleNamespace(instruments=[SimpleNamespace(symbol="AAA")])
PLATFORM = cast("Platform", SimpleNamespace(store=Store(), universe=UNIVERSE))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # Each timeframe no further than its features reach.
        (
            ("2022-05-02", "2024-03-06"),
            [(D1, "2022-05-02", "2024-03-06"), (M1, "2024-02-01", "2024-02-29")],
        ),
        (("2024-02-06", "2024-02-06"), [((M1, D1), "2024-02-06", "2024-02-06")]),
        # Before all of them: the first ones have these bars in their windows.
        (("2019-12-30", "2019-12-30"), [(D1, "2020-01-02", "2020-01-02")]),
        (
            ("2024-01-30", "2024-01-30"),
            [(M1, "2024-02-01", "2024-02-01"), (D1, "2024-01-30", "2024-01-30")],
        ),
        (("2012-01-02", "2012-12-28"), []),
        # After all of them: labels of the last ones may be told by these bars.
        (("2024-04-02", "2024-04-02"), [(D1, "2024-03-28", "2024-03-28")]),
        (("2024-07-02", "2024-07-02"), []),
    ],
)  # fmt: skip
def test_ranges_are_those_of_stored_features(
    changed: tuple[str, str], expected: list[tuple[Any, str, str]]
) -> None:
    first, last = map(date.fromisoformat, changed)
    wanted = [
        Touched(
            "AAA",
            made if isinstance(made, tuple) else (made,),
            date.fromisoformat(begin),
            date.fromisoformat(end),
        )
        for made, begin, end in expected
    ]
    found = touched(PLATFORM, "AAA", [(first, last)])
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert touched(PLATFORM, "BBB", [(first, last)]) == []


def test_nothing_beyond_the_windows_of_a_bar_is_touched() -> None:
    day = date(2019, 1, 2)
    while touched_until(D1, day) >= date(2020, 1, 1):
        day -= timedelta(days=100)
    assert touched(PLATFORM, "AAA", [(day, day)]) == []


def test_a_run_makes_them_with_what_is_made_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Selection] = []

    def run(_: Settings, selection: Selection, __: Narrator) -> Any:
        made.append(selection)
        return SimpleNamespace(succeeded=selection.sessions != (date(2024, 2, 1),) * 2)

    said: list[str] = []
    monkeypatch.setattr("emp.run._run", run)
    monkeypatch.setattr("adapters.backend.open_platform", lambda _: PLATFORM)
    narrator = cast("Narrator", SimpleNamespace(say=said.append))
    settings = cast("Settings", None)
    day = date(2024, 2, 6)
    assert emp.run.renew_features(settings, "AAA", [(day, day)], narrator)
    (selection,) = made
    assert selection.sessions == (day, day)
    assert {feature_key(group_for(Kind.PRICE, t)) for t in (M1, D1)} | {CONFLUENCE} < selection.keys
    assert MACRO not in selection.keys
    assert selection.ops["features_1m"] == {"config": {"symbols": ["AAA"]}}
    assert said == ["making 1m, 1d features of AAA from 2024-02-06 to 2024-02-06 anew"]
    # One that fails is told of, and the others are made.
    early = date(2024, 1, 30)
    assert not emp.run.renew_features(settings, "AAA", [(early, early)], narrator)
    assert len(made) == 3
    assert emp.run.renew_features(settings, "BBB", [(day, day)], narrator)
