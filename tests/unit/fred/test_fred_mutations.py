"""FRED's answers, spoiled in every way: typed errors only, no row that the answer does not say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.vendors.fred.client import FredClient
from adapters.vendors.fred.source import FredSource
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.http import Answer
from market_data.errors import VendorError
from market_data.ports import Claim, FetchRequest, Payload, SymbolRequest
from market_data.schemas import FETCHED_BARS, REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.fred_replay import KEY, recorded

T = TypeVar("T")
FIRST, LAST = date(2014, 1, 1), date(2024, 12, 31)
EXAMPLES = settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["\ud800", "1e999", "NaN", "-0", "9" * 400, "2024-13-01", "1776-07-04", "."]),
    st.recursive(st.none(), lambda deeper: st.lists(deeper, max_size=2), max_leaves=5),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)


class Same:
    """Answers every question with the same bytes, read as a client reads them."""

    def __init__(self, status: int, content: bytes) -> None:
        self._answer = Answer(status, content, Payload(content, "x", "application/json"))

    def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        read: Callable[[Answer], T],
        claims: Sequence[Claim] = (),
    ) -> T:
        return read(self._answer)


def client(content: bytes, status: int = 200) -> FredClient:
    made = FredClient(KEY)
    made._http = Same(status, content)  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def bodies(test_data: Path) -> dict[str, dict[str, Any]]:
    """Short real answers."""
    gdp = json.loads(recorded(test_data, "series_observations_GDP.json"))
    gdp["observations"] = gdp["observations"][:4] + gdp["observations"][-4:]
    dates = json.loads(recorded(test_data, "releases_dates.json"))
    dates["release_dates"] = [r for r in dates["release_dates"] if r["release_id"] in (50, 53)]
    for row in gdp["observations"]:
        row["date"] = row["date"].replace("1946", "2014")
    span = {"observation_start": str(FIRST), "observation_end": str(LAST)}
    real_time = {"realtime_start": str(FIRST), "realtime_end": "9999-12-31"}
    days = {"realtime_start": "2024-10-01", "realtime_end": "2024-11-03", "sort_order": "asc"}
    return {
        "observations": gdp | span | real_time | {"count": 8},
        "release_dates": dates | days | {"count": len(dates["release_dates"])},
    }


def spoiled(draw: Callable[..., Any], body: dict[str, Any], rows: str) -> bytes:
    """A body with some values, keys or bytes changed."""
    changed = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.sampled_from(["row", "cell", "cell", "key", "body", "order"]))
        place = draw(st.integers(0, max(0, len(body[rows]) - 1)))
        listed = changed.get(rows)
        if where == "body":
            changed[draw(st.sampled_from([*body]))] = draw(ODD)
        elif not isinstance(listed, list) or place >= len(listed):
            continue
        elif where == "row":
            listed[place] = draw(ODD)
        elif where == "order":
            listed.reverse()
        elif isinstance(listed[place], dict):
            name = draw(st.sampled_from([*body[rows][0]]))
            if where == "cell":
                listed[place][name] = draw(ODD)
            else:
                listed[place].pop(name, None)
    content = json.dumps(changed).encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-8"])))
    cut = draw(st.integers(0, 3))
    if cut == 1:
        return content[: draw(st.integers(0, len(content)))]
    if cut == 2:
        at = draw(st.integers(0, max(0, len(content) - 1)))
        return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
    return content


def rows_said(content: bytes, name: str) -> list[dict[str, Any]]:
    """The rows of a spoiled body, by a reader that knows nothing of ours."""
    found = json.loads(content, parse_float=str, parse_int=str, parse_constant=str)[name]
    return [row for row in found if isinstance(row, dict)]


@EXAMPLES
@given(data=st.data())
def test_vintages(bodies: dict[str, dict[str, Any]], data: st.DataObject) -> None:
    content = spoiled(data.draw, bodies["observations"], "observations")
    try:
        answer = FredSource(client(content), {}).vintages("GDP", FIRST, LAST)
    except VendorError as trouble:
        assert KEY not in str(trouble)
        return
    said = rows_said(content, "observations")
    for seen, period, value in answer.frame.iter_rows():
        assert FIRST <= period <= LAST
        texts = [
            r["value"]
            for r in said
            if (r.get("realtime_start"), r.get("date")) == (str(seen), str(period))
        ]
        assert any(t == "." if value is None else float(t) == value for t in texts)
        assert value is None or math.isfinite(value)


@EXAMPLES
@given(data=st.data())
def test_release_dates(bodies: dict[str, dict[str, Any]], data: st.DataObject) -> None:
    content = spoiled(data.draw, bodies["release_dates"], "release_dates")
    first, last = date(2024, 10, 1), date(2024, 11, 3)
    try:
        answer = FredSource(client(content), {}).release_dates([50, 53], first, last)
    except VendorError:
        return
    said = {(str(r.get("release_id")), r.get("date")) for r in rows_said(content, "release_dates")}
    rows = answer.frame.select("release", "session").rows()
    assert len(set(rows)) == len(rows)
    for release, session in rows:
        assert release in (50, 53)
        assert first <= session <= last
        numbers = [n.strip() for n, d in said if d == str(session)]
        assert any(n.lstrip("+-").isdecimal() and int(n) == release for n in numbers)


WANTED = SymbolRequest(Instrument(symbol="X", asset_class=AssetClass.INDEX, calendar="XNYS"), "GDP")


@EXAMPLES
@given(data=st.data())
def test_bars(bodies: dict[str, dict[str, Any]], data: st.DataObject) -> None:
    content = spoiled(data.draw, bodies["observations"], "observations")
    start, end = datetime(2014, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    request = FetchRequest((WANTED,), Timeframe.D1, start, end, end)
    try:
        results = list(FredVendor(client(content)).fetch(request))
    except VendorError:
        return
    frame = pl.concat([FETCHED_BARS.empty(), *(r.frame for r in results)])
    FETCHED_BARS.check(frame)
    for result in results:
        REJECTED_ROWS.check(result.rejected)
    if frame.is_empty():
        return
    said = rows_said(content, "observations")
    for name in ("open", "high", "low"):
        assert frame[name].equals(frame["close"].alias(name))
    for ts, close in frame.select("ts", "close").iter_rows():
        texts = [r["value"] for r in said if r.get("date") == f"{ts:%Y-%m-%d}"]
        assert any(isinstance(t, str) and _equal(t, close) for t in texts)


def _equal(text: str, value: float) -> bool:
    try:
        return float(text) == value or (math.isnan(float(text)) and math.isnan(value))
    except ValueError:
        return False


@EXAMPLES
@given(content=st.binary(max_size=40), status=st.sampled_from([200, 400, 404, 418, 423]))
def test_garbage(content: bytes, status: int) -> None:
    with pytest.raises(VendorError):
        FredSource(client(content, status), {}).vintages("GDP", FIRST, LAST)
