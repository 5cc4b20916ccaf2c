"""Raw bars that were fetched in the future: a clock was ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from market_data.quality.checks import evaluate_bars

DAY = date(2024, 1, 10)


@pytest.mark.parametrize(("kind", "minutes", "rows"), [("raw", 4, 0), ("raw", 6, 1)])
def test_bars_of_a_time_to_come_are_an_error(make_view, thresholds, kind, minutes, rows) -> None:
    view = make_view(kind=kind)
    when = view.now + timedelta(minutes=minutes)
    ahead = pl.when(session=DAY).then(pl.lit(when)).otherwise("fetched_at")
    view = replace(view, bars=view.bars.with_columns(fetched_at=ahead))
    outcome = evaluate_bars(view, thresholds)["staleness"]
    expected = [("staleness", "fetched_in_future", "error", "AAA", DAY, 360.0)] * rows
    columns = ("check", "code", "severity", "symbol", "session", "value")
    assert outcome.findings.select(columns).rows() == expected
    assert "--refetch" in "".join(outcome.findings["detail"]) or not rows
    assert outcome.measured.height == view.expected.height
