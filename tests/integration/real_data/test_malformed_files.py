"""Malformed files through the whole pipeline: good rows land, each bad row is kept with its reason.

What belongs here: raw log, curated bars, quarantine, ledger, journal and report after such a file;
how a line is read is held by tests/unit/files.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.pipeline.ingest import IngestReport
from market_data.ports import Outcome
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

DAY = date(2024, 1, 2)
OPEN = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
HEADER = "ts,open,high,low,close,volume\n"
MIDDAY = OPEN + timedelta(hours=2)
NEXT_DAY = datetime(2024, 1, 3, 12, tzinfo=UTC)
BAD = (
    # minute, cells after the time, stage, reasons
    (0, "abc,101,99,100,10", "fetch", "bad_open"),
    (1, "100,101,99,,10", "fetch", "missing_close"),
    (2, "100,101,99,100,10\xff", "fetch", "bad_encoding,bad_volume"),
    (3, "100,NaN,99,100,10", "curate", "not_finite"),
    (4, "100,inf,99,100,10", "curate", "not_finite"),
    (5, "100,101,-99,100,10", "curate", "not_positive,price_range"),
    (6, "100,98,99,100,10", "curate", "ohlc"),
    (7, "100,101,99,100,-1", "curate", "negative_volume"),
    (-60, "100,101,99,100,10", "curate", "outside_session"),
    (180, "100,101,99,100,10", "curate", "future"),
)


def line(minute: int, cells: str = "") -> str:
    ts = OPEN + timedelta(minutes=minute)
    price = 100 + minute % 7 / 10
    return f"{ts:%Y-%m-%dT%H:%M:%SZ},{cells or f'{price},{price + 1},{price - 1},{price},10'}\n"


def good(minutes: Sequence[int]) -> str:
    return "".join(line(m) for m in minutes)


def world_at(tmp_path: Path, now: datetime, content: bytes, name: str = "x.csv") -> World:
    """A vendor with one file of minutes."""
    (tmp_path / name).write_bytes(content)
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    return World.at(tmp_path, now).register(
        FileVendor("mine", {"1m": ("plain", tmp_path / name)}, ("SHARE",)), instruments=(share,)
    )


def load(world: World) -> IngestReport:
    return world.load("mine", "1m", "SHARE", DAY, DAY)


def raw(world: World) -> pl.DataFrame:
    return world.platform.raw_log.read(raw_bars("mine", Timeframe.M1))


def outcome(world: World) -> tuple[str, int, bool]:
    ledger = world.platform.ledger.read(vendors=["mine"])
    return ledger.select("outcome", "rows", "final").row(0)


def kept_payload(world: World) -> bytes:
    (address,) = world.platform.journal.runs(vendor="mine", limit=1)[0].payloads
    return world.platform.payloads.get(address)


def test_good_rows_land_and_every_bad_row_is_kept_with_its_reasons(tmp_path: Path) -> None:
    text = HEADER + "".join(line(m, cells) for m, cells, *_ in BAD) + good(range(10, 120))
    content = text.encode("latin-1")
    world = world_at(tmp_path, MIDDAY, content)
    report = load(world)
    assert report.outcomes["SHARE"].outcome is Outcome.ROWS
    assert report.total_rows == 110 + 7
    assert report.rejected_rows == 3
    curated = world.curate("1m", "SHARE", DAY, DAY)
    assert (curated.rows, curated.quarantined) == (110, 7)

    bars = world.read("1m", "SHARE", quality="all")
    assert bars["ts"].to_list() == [OPEN + timedelta(minutes=m) for m in range(10, 120)]
    assert bars["close"].is_between(99, 101).all()

    refused = world.platform.quarantine.read(symbols=["SHARE"])
    told = {(row["ts"], row["stage"], row["reasons"]) for row in refused.iter_rows(named=True)}
    assert told == {(OPEN + timedelta(minutes=m), stage, why) for m, _, stage, why in BAD}
    assert refused["session"].unique().to_list() == [DAY]
    cells = json.loads(refused.filter(pl.col("reasons") == "bad_open")["row"][0])
    assert cells["open"] == "abc"

    run = world.platform.journal.runs(vendor="mine")[0]
    assert (run.status, run.rows, run.rejected_rows) == ("ok", 117, 3)
    assert kept_payload(world) == content


def test_too_many_bad_rows_block_what_is_downstream_and_a_few_do_not(tmp_path: Path) -> None:
    for folder, bad in (("few", 2), ("many", 40)):
        (tmp_path / folder).mkdir()
        lines = "".join(line(m, "100,98,99,100,10") for m in range(bad))
        content = HEADER + lines + good(range(bad, 390))
        world = world_at(tmp_path / folder, NEXT_DAY, content.encode())
        load(world)
        world.curate("1m", "SHARE", DAY, DAY)
        checks = world.inspect("1m", DAY, DAY)
        ohlc = checks.findings.filter(pl.col("check") == "ohlc")
        assert bool(checks.block_reasons(None)) is (folder == "many")
        assert ("error" in ohlc["severity"].to_list()) is (folder == "many")


def test_the_same_bad_file_again_adds_nothing(tmp_path: Path) -> None:
    text = HEADER + "".join(line(m, cells) for m, cells, *_ in BAD) + good(range(10, 120))
    world = world_at(tmp_path, MIDDAY, text.encode("latin-1"))
    seen = []
    for minute in range(2):
        world = world.later(MIDDAY + timedelta(minutes=minute))
        report = world.load("mine", "1m", "SHARE", DAY, DAY, refetch=True)
        world.curate("1m", "SHARE", DAY, DAY)
        seen.append((world.platform.quarantine.read().height, raw(world).height, report.new_rows))
    assert seen == [(10, 117, 117), (10, 117, 0)]


def test_a_gzip_that_was_cut_lands_what_it_holds_and_is_asked_again(tmp_path: Path) -> None:
    noise = "".join(
        line(m, f"100.{m * 7919 % 10007},102,99,101,{m * 31 % 977}") for m in range(390)
    )
    whole = gzip.compress((HEADER + noise).encode())
    world = world_at(tmp_path, NEXT_DAY, whole[: len(whole) // 2], "x.csv.gz")
    report = load(world)
    assert report.outcomes["SHARE"].outcome is Outcome.FAILED
    assert "ends early" in report.outcomes["SHARE"].detail
    assert not report.nothing_answered, "half a session is judged by the checks"
    landed = report.total_rows
    assert 50 < landed < 390
    assert raw(world).height == landed
    assert outcome(world) == ("rows", landed, False)
    assert kept_payload(world) == whole[: len(whole) // 2]
    assert world.curate("1m", "SHARE", DAY, DAY).rows == landed
    assert world.read("1m", "SHARE").is_empty(), "a session without its half is withheld"
    coverage = world.inspect("1m", DAY, DAY).findings.filter(pl.col("check") == "coverage")
    assert coverage["code"].to_list() == ["coverage_error"]

    (tmp_path / "x.csv.gz").write_bytes(whole)
    later = world.later(NEXT_DAY + timedelta(hours=1))
    repaired = load(later)
    assert repaired.outcomes["SHARE"].outcome is Outcome.ROWS
    assert repaired.new_rows == 390 - landed
    assert outcome(later) == ("rows", 390, True)
    assert later.curate("1m", "SHARE", DAY, DAY).rows == 390
    assert later.read("1m", "SHARE").height == 390


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((HEADER.replace(",close", ",last") + good(range(390))).encode(), "schema"),
        ((HEADER + good(range(390))).encode("utf-16"), "schema"),
        (b"PK\x03\x04 no zip at all", "zip"),
        (b"<!doctype html><html><body>Please log in</body></html>\n", "schema"),
    ],
    ids=["no-close", "utf-16", "no-zip", "html"],
)
def test_a_file_of_another_shape_fails_with_its_type_and_leaves_its_payload(
    tmp_path: Path, content: bytes, message: str
) -> None:
    world = world_at(tmp_path, NEXT_DAY, content)
    report = load(world)
    assert report.outcomes["SHARE"].outcome is Outcome.FAILED
    assert message in report.outcomes["SHARE"].detail
    assert (report.total_rows, report.new_rows) == (0, 0)
    assert report.nothing_answered
    assert raw(world).is_empty()
    assert outcome(world) == ("failed", 0, False)
    assert world.platform.quarantine.read().is_empty()
    assert world.platform.journal.runs(vendor="mine")[0].status == "failed"
    assert kept_payload(world) == content
    assert world.curate("1m", "SHARE", DAY, DAY).rows == 0


def test_rows_that_contradict_each_other_are_refused_and_repeats_are_kept_once(
    tmp_path: Path,
) -> None:
    twice = line(5, "100,101,99,100.5,10") + line(5, "100,101,99,100.7,10")
    content = HEADER + good(range(5)) + twice + line(6) * 2 + good(range(7, 390))
    world = world_at(tmp_path, NEXT_DAY, content.encode())
    load(world)
    curated = world.curate("1m", "SHARE", DAY, DAY)
    assert curated.rows == 389
    refused = world.platform.quarantine.read()
    told = refused.group_by("stage", "reasons").len().sort("stage", "reasons")
    assert told.rows() == [("curate", "contradiction", 2), ("fetch", "duplicate", 1)]
    duplicates = world.inspect("1m", DAY, DAY).findings.filter(pl.col("check") == "duplicates")
    assert not duplicates.is_empty()
