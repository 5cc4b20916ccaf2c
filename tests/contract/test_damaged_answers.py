"""Two thousand damaged answers per vendor: typed outcomes, and no bar that nobody said.

Each accepted bar is looked for among those that a plain reading of the damaged body finds: row by
row, in Python, without a table. The readings know none of the rules that refuse a row; they may
find more bars than are accepted, never fewer. Some damage goes over HTTP as well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.coinbase.vendor import CoinbaseVendor
from adapters.vendors.fred.client import FredClient
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.oanda.vendor import OandaVendor
from adapters.vendors.yahoo.answers import read_answer
from adapters.vendors.yahoo.vendor import YahooVendor
from market_data.ports import FetchRequest, Payload, SymbolRequest, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.alpha_vantage_replay import (
    alpha_vantage_on,
    as_json,
    payload,
    recorded_csv,
)
from tests.support.candle_replay import (
    INSTRUMENTS,
    PRODUCTS,
    coinbase_on,
    oanda_on,
    serve_coinbase,
    serve_oanda,
)
from tests.support.mutated_payloads import BodyHttp, Damage, Row, accepted, mutations, normal
from tests.support.replay_server import ReplayServer, Reply
from tests.support.yahoo_replay import CHART, RECORDINGS, recorded, serve_basics, yahoo_on

EXAMPLES = 2_000
"""Per vendor."""
OVER_HTTP = 25
NEW_YORK = ZoneInfo("America/New_York")
Reading = Callable[[bytes], set[Row]]

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
few = settings(many, max_examples=OVER_HTTP)


class Case:
    """Bodies of one vendor, how they are read plainly, and a vendor that gets one."""

    def __init__(
        self,
        bodies: list[bytes],
        request: FetchRequest,
        plainly: Reading,
        vendor: Callable[[bytes], Vendor],
    ) -> None:
        self.bodies, self.request, self.plainly, self.vendor = bodies, request, plainly, vendor
        self.vendor_name = ""
        self.tally: Counter[bool] = Counter()

    def hold(self, damage: Damage) -> None:
        """Damage a body, and hold the vendor's bars against a plain reading of it."""
        content = damage(self.bodies[damage.seed % len(self.bodies)])
        found = accepted(self.vendor(content), self.request)
        assert found <= self.plainly(content), content[:300]
        self.tally[bool(found)] += 1

    def fair(self) -> None:
        """Damage that leaves nothing would hold nothing."""
        for body in self.bodies:
            found = accepted(self.vendor(body), self.request)
            assert found
            assert found == self.plainly(body) & found
        total = sum(self.tally.values())
        assert total == 0 or 0.05 < self.tally[True] / total < 0.95


def question(
    kind: AssetClass, name: str, timeframe: Timeframe, start: datetime, end: datetime
) -> FetchRequest:
    calendar = {AssetClass.FX: "fx", AssetClass.CRYPTO: "24/7"}.get(kind, "XNYS")
    instrument = Instrument(symbol="X", asset_class=kind, calendar=calendar)
    return FetchRequest(
        (SymbolRequest(instrument, name),), timeframe, start, end, end + timedelta(days=1)
    )


def day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)


def number(cell: Any) -> float | None:
    """What a cell says in Python; None for nothing or no number."""
    if cell is None or isinstance(cell, bool):
        return None
    try:
        return float(cell)
    except (ValueError, TypeError, OverflowError):
        return None


def cell(row: Any, key: Any) -> Any:
    try:
        return row[key]
    except (KeyError, IndexError, TypeError):
        return None


def loaded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


# Alpha Vantage: JSON of days and currencies; CSV of days, and of minutes stamped at their end.


def csv_rows(content: bytes, start_of: Callable[[str], datetime]) -> set[Row]:
    head, *lines = content.decode("utf-8", "replace").split("\n")
    names = head.strip().removeprefix("\ufeff").split(",")
    found = set()
    for line in lines:
        cells = line.removesuffix("\r").split(",")
        values = dict(zip(names[1:], cells[1:], strict=False))
        try:
            ts = start_of(cells[0])
        except (ValueError, OverflowError):
            continue
        prices = [number(values.get(n)) for n in ("open", "high", "low", "close", "volume")]
        found.add(normal(ts, *prices))
    return found


def json_days(content: bytes, *, has_volume: bool = False) -> set[Row]:
    body = loaded(content)
    found = set()
    for name, series in body.items() if isinstance(body, dict) else ():
        shown = name.startswith("Time") and isinstance(series, dict)
        for stamp, row in series.items() if shown else ():
            try:
                ts = day(stamp)
            except ValueError:
                continue
            keys = ("1. open", "2. high", "3. low", "4. close")
            prices = [number(cell(row, k)) for k in keys]
            told = row.items() if has_volume and isinstance(row, dict) else ()
            volumes = [number(value) for key, value in told if key.endswith(". volume")]
            found |= {normal(ts, *prices, volume) for volume in volumes or [None]}
    return found


def minute_start(stamp: str) -> datetime:
    local = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=NEW_YORK)
    return (local - timedelta(minutes=1)).astimezone(UTC)


def alpha_vantage_days(data: Path) -> Case:
    body = b"".join(recorded_csv(data, "AAPL").splitlines(keepends=True)[:16])
    request = question(
        AssetClass.EQUITY, "AAPL", Timeframe.D1, day("2018-12-01"), day("2019-02-16")
    )
    return Case([body], request, lambda c: csv_rows(c, day), _alpha_vantage)


def alpha_vantage_shares(data: Path) -> Case:
    table = b"".join(recorded_csv(data, "AAPL").splitlines(keepends=True)[:16])
    body = as_json(table, {"symbol": "AAPL", "outputsize": "compact"})
    request = question(
        AssetClass.EQUITY, "AAPL", Timeframe.D1, day("2018-12-01"), day("2019-02-16")
    )
    return Case([body], request, lambda c: json_days(c, has_volume=True), _alpha_vantage)


def alpha_vantage_minutes(data: Path) -> Case:
    body = b"".join(recorded_csv(data, "AAPL", "1min").splitlines(keepends=True)[:16])
    request = question(
        AssetClass.EQUITY, "AAPL", Timeframe.M1, day("2019-02-15"), day("2019-02-16")
    )
    return Case([body], request, lambda c: csv_rows(c, minute_start), _alpha_vantage)


def alpha_vantage_currencies(data: Path) -> Case:
    body = payload(data, "FX_DAILY_EURUSD_2026-01_2rows.json")
    request = question(AssetClass.FX, "EUR/USD", Timeframe.D1, day("2026-01-01"), day("2026-01-25"))
    return Case([body], request, json_days, _alpha_vantage)


def _alpha_vantage(content: bytes) -> Vendor:
    # One odd stamp may make an answer tell the other end.
    vendor = AlphaVantageVendor("key", label="end")
    vendor._http = BodyHttp(content)  # type: ignore[assignment]
    return vendor


# Coinbase: lists of six numbers.


def coinbase_rows(content: bytes) -> set[Row]:
    body = loaded(content)
    found = set()
    for row in body if isinstance(body, list) else ():
        at = number(cell(row, 0))
        if at is None or not 0 <= at < 4e9 or isinstance(row, str):
            continue
        ts = datetime.fromtimestamp(at, UTC)
        found.add(normal(ts, *(number(cell(row, place)) for place in (3, 2, 1, 4, 5))))
    return found


def coinbase(data: Path) -> Case:
    start, end = datetime(2017, 9, 3, tzinfo=UTC), datetime(2017, 9, 3, 0, 15, tzinfo=UTC)
    request = question(AssetClass.CRYPTO, "BTC-USD", Timeframe.M1, start, end)
    with ReplayServer() as server:
        serve_coinbase(server, data)
        (payloads,) = [r.payloads for r in coinbase_on(server).fetch(request) if r.payloads]

    def vendor(content: bytes) -> Vendor:
        built = CoinbaseVendor()
        built._http = BodyHttp(content)  # type: ignore[assignment]
        return built

    return Case([payloads[0].content], request, coinbase_rows, vendor)


# OANDA: objects with prices as texts.


def oanda_rows(content: bytes) -> set[Row]:
    body = loaded(content)
    candles = cell(body, "candles")
    found = set()
    for candle in candles if isinstance(candles, list) else ():
        try:
            whole = str(cell(candle, "time")).removesuffix("Z").partition(".")[0]
            ts = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        except ValueError:
            continue
        prices = (number(cell(cell(candle, "mid"), key)) for key in "ohlc")
        found.add(normal(ts, *prices, None))
    return found


def oanda(data: Path) -> Case:
    start, end = datetime(2014, 5, 6, tzinfo=UTC), datetime(2014, 5, 6, 0, 12, tzinfo=UTC)
    request = question(AssetClass.FX, "EUR_USD", Timeframe.M1, start, end)
    with ReplayServer() as server:
        serve_oanda(server, data, end)
        (payloads,) = [r.payloads for r in oanda_on(server).fetch(request) if r.payloads]

    def vendor(content: bytes) -> Vendor:
        built = OandaVendor("token")
        built._http = BodyHttp(content)  # type: ignore[assignment]
        return built

    return Case([payloads[0].content], request, oanda_rows, vendor)


# FRED: one value a day, which stands for all prices.


def fred_rows(content: bytes) -> set[Row]:
    observations = cell(loaded(content), "observations")
    found = set()
    for row in observations if isinstance(observations, list) else ():
        try:
            ts = day(str(cell(row, "date")))
        except ValueError:
            continue
        value = number(cell(row, "value"))
        found.add(normal(ts, value, value, value, value, None))
    return found


def fred(data: Path) -> Case:
    body = json.loads((data / "payloads/fred/20241103/series_observations_GDP.json").read_bytes())
    body["observations"], body["count"] = body["observations"][-12:], 12
    body |= {"observation_start": "2020-01-01", "observation_end": "2024-11-30"}
    request = question(AssetClass.INDEX, "GDP", Timeframe.D1, day("2020-01-01"), day("2024-12-01"))

    def vendor(content: bytes) -> Vendor:
        client = FredClient("a" * 32)
        client._http = BodyHttp(content)  # type: ignore[assignment]
        return FredVendor(client)

    return Case([json.dumps(body).encode()], request, fred_rows, vendor)


# Yahoo: one array per column.


def yahoo_rows(content: bytes) -> set[Row]:
    """Also under the next date: some zones' days are stamped on the evening before."""
    chart = cell(cell(cell(loaded(content), "chart"), "result"), 0)
    quote = cell(cell(cell(chart, "indicators"), "quote"), 0)
    stamps = cell(chart, "timestamp")
    zone = cell(cell(chart, "meta"), "exchangeTimezoneName") or "UTC"
    found = set()
    for place, stamp in enumerate(stamps if isinstance(stamps, list) else ()):
        try:
            local = datetime.fromtimestamp(number(stamp), ZoneInfo(str(zone)))  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError, OSError, KeyError):
            continue
        keys = ("open", "high", "low", "close", "volume")
        values = [number(cell(cell(quote, key), place)) for key in keys]
        midnight = datetime.combine(local.date(), time(), UTC)
        found |= {normal(midnight, *values), normal(midnight + timedelta(days=1), *values)}
    return found


class _YahooBody:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def chart(self, *_: object) -> Any:
        from adapters.vendors.yahoo.client import ChartAnswer

        return ChartAnswer(read_answer(200, self._content), Payload(self._content, "x"))


def yahoo(data: Path) -> Case:
    names = ("QQQ", "OCDO.L", "BTC-USD")
    charts = [recorded(data, RECORDINGS[name]) for name in names]
    for body in charts:
        body["chart"]["result"][0]["meta"]["symbol"] = "X"
    bodies = [json.dumps(body).encode() for body in charts]
    request = question(AssetClass.EQUITY, "X", Timeframe.D1, day("2020-01-01"), day("2022-02-01"))

    def vendor(content: bytes) -> Vendor:
        built = YahooVendor()
        built.__dict__["_client"] = _YahooBody(content)
        return built

    return Case(bodies, request, yahoo_rows, vendor)


CASES: dict[str, Callable[[Path], Case]] = {
    f.__name__: f
    for f in (
        alpha_vantage_days,
        alpha_vantage_shares,
        alpha_vantage_minutes,
        alpha_vantage_currencies,
        coinbase,
        oanda,
        fred,
        yahoo,
    )
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, test_data: Path) -> Iterator[Case]:
    made = CASES[request.param](test_data)
    made.vendor_name = request.param.partition("_")[0]
    yield made
    made.fair()


def test_damage_ends_in_bars_that_were_said_or_in_typed_trouble(case: Case) -> None:
    share = sum(name.partition("_")[0] == case.vendor_name for name in CASES)
    settings(many, max_examples=EXAMPLES // share)(given(mutations())(case.hold))()


PATHS = {
    "alpha_vantage_days": ("/query", alpha_vantage_on),
    "coinbase": (f"{PRODUCTS}BTC-USD/candles", coinbase_on),
    "oanda": (f"{INSTRUMENTS}EUR_USD/candles", oanda_on),
    "yahoo": (f"{CHART}X", yahoo_on),
}


@pytest.mark.parametrize("name", PATHS)
def test_so_it_does_over_http(name: str, test_data: Path) -> None:
    path, build = PATHS[name]
    case = CASES[name](test_data)
    with ReplayServer() as server:
        serve_basics(server)
        vendor = build(server)

        def over_http(content: bytes) -> Vendor:
            server.reply(path, Reply(content))
            return vendor

        case.vendor = over_http
        few(given(mutations())(case.hold))()
