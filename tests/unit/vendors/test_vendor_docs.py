"""docs/vendors.md, config/reference/vendors.yaml and the readers tell one story.

What can be told from the texts is held: keys, timeframes, limits, how far back. Sentences on what
prices mean are held by the tests of each vendor.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from adapters.settings import PROJECT, Settings
from adapters.vendors.registry import PROFILES
from adapters.vendors.table import VendorEntry, load_vendor_table

TEXT = (PROJECT / "docs" / "vendors.md").read_text(encoding="utf-8")
SECTIONS = {
    match[1]: match[2]
    for match in re.finditer(
        r"^## [^\n]*\(`(\w+)`\)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
}
TIMEFRAME = re.compile(r"\b(?:1m|5m|15m|30m|1h|4h|1d)\b")
TOLD_LIMIT = re.compile(r"(\d[\d,]*)(?:\s+requests)?\s+an?\s+(second|minute|hour|day)\b")
REVIEWED_LIMIT = re.compile(r"(\d[\d,]*)(?: requests)? per (second|minute|hour|day)\b")
CANDLES = re.compile(r"([\d,]+) candles (?:each|per request)")
asking = pytest.mark.parametrize(
    "reader", sorted(r for r, p in PROFILES.items() if p.asks_somebody)
)


def entries(reader: str) -> list[VendorEntry]:
    return [e for e in load_vendor_table(Settings()).vendors if e.reader == reader]


def overview(reader: str) -> list[str]:
    """The cells of its line in the table at the top."""
    (line,) = re.findall(rf"^\| \[[^\]]*\]\(#[^)]*-{reader}\) \|.*$", TEXT, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_reader_that_asks_somebody_has_a_section() -> None:
    assert set(SECTIONS) == {r for r, p in PROFILES.items() if p.asks_somebody}


@asking
def test_the_key_is_named_alike(reader: str) -> None:
    key = overview(reader)[1]
    for entry in entries(reader):
        if key == "none":
            assert not re.search(r"\b[A-Z]+_[A-Z_]+\b", entry.entitlement)
        else:
            assert key in entry.entitlement or entry.name != reader
            assert key in SECTIONS[reader] or "key" in SECTIONS[reader]
    settings = PROFILES[reader].settings
    assert settings is not None
    prefix = settings.model_config["env_prefix"]
    assert key == "none" or key.removeprefix(prefix).lower() in settings.model_fields


@asking
def test_the_timeframes_are_told_alike(reader: str) -> None:
    (row,) = re.findall(r"^\| timeframes \| (.*?) \|$", SECTIONS[reader], re.MULTILINE)
    reviewed = {str(t) for entry in entries(reader) for t in entry.timeframes}
    assert set(TIMEFRAME.findall(row.partition(".")[0])) == reviewed
    ends = {t for cell in overview(reader)[2:5] for t in TIMEFRAME.findall(cell)}
    assert ends <= reviewed
    assert {"1m" if "1m" in reviewed else "1d", "1d"} <= ends


@asking
def test_the_limits_are_told_alike(reader: str) -> None:
    limits = "; ".join(entry.limits for entry in entries(reader))
    assert set(TOLD_LIMIT.findall(SECTIONS[reader])) == set(REVIEWED_LIMIT.findall(limits))
    assert set(CANDLES.findall(SECTIONS[reader])) == set(CANDLES.findall(limits))


@asking
def test_no_more_is_asked_than_the_vendor_lets_us(reader: str) -> None:
    """By default; who may ask more says so in a variable."""
    (entry,) = (e for e in entries(reader) if e.name == reader)
    allowed = {unit: int(n.replace(",", "")) for n, unit in REVIEWED_LIMIT.findall(entry.limits)}
    for allowance in PROFILES[reader].allowances():
        if allowance.name in allowed:
            assert allowance.requests <= allowed.pop(allowance.name)
    assert not allowed, "a limit that nobody keeps"


def test_how_far_back_yahoo_reaches() -> None:
    from adapters.vendors.yahoo.vendor import YahooVendor

    (entry,) = entries("yahoo")
    words = {timedelta(days=30): "30 days", timedelta(days=60): "60 days"}
    words[timedelta(days=730)] = "two years"
    for timeframe, reach in YahooVendor.capabilities.lookback.items():
        for text in (entry.note, overview("yahoo")[5]):
            assert re.search(rf"{timeframe}\b[^,]*?{words[reach]}|{timeframe} and 15m", text)


@pytest.mark.parametrize("reader", ["yahoo", "fred"])
def test_how_late_bars_come(reader: str) -> None:
    delay = PROFILES[reader].delay
    told = {timedelta(minutes=15): "15 minutes", timedelta(days=8): "eight days"}[delay]
    (entry,) = entries(reader)
    assert told in entry.latency
