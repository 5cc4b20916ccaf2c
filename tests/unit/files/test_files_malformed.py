"""Files that are not what their format says: what is rejected, what is refused, what is kept."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.files import source as source_module
from adapters.vendors.files.blocks import line_blocks
from adapters.vendors.files.extent import extent
from adapters.vendors.files.source import BrokenStreamError
from adapters.vendors.files.spec import FormatSpec, load_format
from adapters.vendors.files.vendor import FilesVendor
from market_data.errors import MalformedAnswerError, VendorError, VendorUnavailableError
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolRequest
from market_data.schemas import FETCHED_BARS, REJECTED_ROWS
from market_data.universe import Instrument

PLAIN = load_format("plain")
HEADER = "ts,open,high,low,close,volume\n"
GOOD = "2024-01-02T14:30:00Z,1,3,0.5,2,10\n"


def request(*symbols: str, spec: FormatSpec = PLAIN) -> FetchRequest:
    asked = tuple(
        SymbolRequest(Instrument(symbol=s, asset_class="equity", calendar="XNYS"), s)
        for s in symbols or ("X",)
    )
    return FetchRequest(
        asked,
        spec.timeframe,
        datetime(1990, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
    )


def write(folder: Path, content: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(
    path: Path, spec: FormatSpec = PLAIN, *symbols: str
) -> tuple[pl.DataFrame, pl.DataFrame, list[FetchResult]]:
    results = list(FilesVendor("plain", spec, path).fetch(request(*symbols, spec=spec)))
    bars = pl.concat([r.frame for r in results])
    rejected = pl.concat([r.rejected for r in results])
    FETCHED_BARS.check(bars)
    REJECTED_ROWS.check(rejected)
    return bars, rejected, results


def until_error(
    path: Path, spec: FormatSpec = PLAIN, *symbols: str
) -> tuple[pl.DataFrame, list[FetchResult], VendorError]:
    results = []
    with pytest.raises(VendorError) as caught:
        for result in FilesVendor("plain", spec, path).fetch(request(*symbols, spec=spec)):
            results.append(result)  # noqa: PERF402 - what came before the error is the point
    bars = pl.concat([r.frame for r in results]) if results else FETCHED_BARS.empty()
    return bars, results, caught.value


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        (",1,3,0.5,2,10", "missing_time"),
        ("yesterday,1,3,0.5,2,10", "bad_time"),
        ("2024-01-02T14:31:00Z,abc,3,0.5,2,10", "bad_open"),
        ("2024-01-02T14:31:00Z,1,,0.5,x,10", "bad_close,missing_high"),
        ("2024-01-02T14:31:00Z,1,3,0.5,2,many", "bad_volume"),
        ("2024-01-02T14:31:00Z,1,3,0.5", "missing_close,missing_field"),
        ("2024-01-02T14:31:00Z,1,3,0.5,2,1,000", "extra_field"),
        ("never,1,x", "bad_high,bad_time,missing_close,missing_field,missing_low"),
    ],
)
def test_an_unreadable_row_is_rejected_with_every_reason(
    tmp_path: Path, line: str, reasons: str
) -> None:
    bars, rejected, results = read(write(tmp_path, HEADER + GOOD + line + "\n"))
    assert len(bars) == 1
    assert rejected["reasons"].to_list() == [reasons]
    assert rejected["symbol"].to_list() == ["X"]
    cells = json.loads(rejected["row"][0])
    assert cells["ts"] == line.partition(",")[0]
    assert results[-1].outcomes["X"].outcome is Outcome.ROWS


def test_a_rejected_row_outside_the_range_is_left_out_like_a_good_one(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + GOOD + "1980-01-01T00:00:00Z,abc,3,0.5,2,10\n")
    _, rejected, _ = read(path)
    assert rejected.is_empty()


def test_values_that_parse_are_bars_however_odd(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER
        + "2024-01-02T14:30:00Z,NaN,3,0.5,2,10\n"
        + "2024-01-02T14:31:00Z,inf,3,0.5,-2,10\n"
        + "2024-01-02T14:32:00Z,1,0.1,5,2,-1\n"
        + '2024-01-02T14:33:00Z, 1 ,3,"0.5",2,\n',
    )
    bars, rejected, _ = read(path)
    assert rejected.is_empty()
    assert len(bars) == 4
    assert bars["open"].is_nan().to_list() == [True, False, False, False]
    assert bars["volume"].to_list() == [10.0, 10.0, -1.0, None]
    assert bars["low"][3] == 0.5


def test_blank_lines_windows_line_ends_a_bom_and_a_missing_last_line_feed(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + GOOD + "\n  \n" + GOOD.replace("30:00", "31:00").rstrip("\n")
    bars, rejected, _ = read(write(tmp_path, text.replace("\n", "\r\n")))
    assert len(bars) == 2
    assert rejected.is_empty()


def test_an_empty_file_and_a_header_alone_say_nothing(tmp_path: Path) -> None:
    for content in ("", HEADER):
        bars, _, results = read(write(tmp_path, content))
        assert bars.is_empty()
        assert results[-1].outcomes["X"].outcome is Outcome.NOTHING


def test_a_line_with_a_control_character_is_not_cut_there(tmp_path: Path) -> None:
    line = b"2024-01-02T14:31:00Z,1,3,0.5,2,10\x1f99\n"
    bars, rejected, _ = read(write(tmp_path, (HEADER + GOOD).encode() + line))
    assert len(bars) == 1
    assert rejected["reasons"].to_list() == ["bad_volume"]


def test_undecodable_lines_are_rejected_not_the_file(tmp_path: Path) -> None:
    line = b"2024-01-02T14:31:00Z,1,3,0.5,2,10\xff\n"
    bars, rejected, _ = read(write(tmp_path, (HEADER + GOOD).encode() + line))
    assert len(bars) == 1
    assert rejected["reasons"].to_list() == ["bad_encoding,bad_volume"]


def test_another_encoding_is_read_when_the_format_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, (HEADER + GOOD * 3).encode("utf-16"))
    bars, _, _ = read(path, PLAIN.but(encoding="utf-16"))
    assert len(bars) == 3


@pytest.mark.parametrize("name", ["x.csv.gz", "cut"])
def test_a_gzip_that_was_cut_gives_the_rows_before_the_break_then_an_error(
    tmp_path: Path, name: str
) -> None:
    rows = "".join(f"2024-01-02T{h:02}:{m:02}:00Z,1,3,0.5,2.12345,10\n" for h in range(24)
                   for m in range(60))  # fmt: skip
    whole = gzip.compress((HEADER + rows).encode())
    path = write(tmp_path, whole[: len(whole) * 2 // 3], name)
    bars, results, error = until_error(path)
    assert isinstance(error, MalformedAnswerError)
    assert str(path) in str(error)
    assert "ends early" in str(error)
    assert f"last whole line is {len(bars) + 1:,}" in str(error)
    assert 0 < len(bars) < 1440
    assert bars["close"].unique().to_list() == [2.12345]
    assert results[0].payloads[0].content == path.read_bytes()
    (span,) = extent(path, PLAIN, ["X"])
    assert span.last_ts == bars["ts"].max()


def test_a_damaged_gzip_is_a_typed_error(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress((HEADER + GOOD).encode()))
    whole[-6] ^= 0xFF
    _, _, error = until_error(write(tmp_path, bytes(whole), "x.gz"))
    assert isinstance(error, MalformedAnswerError)


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    second = GOOD.replace("30:00", "31:00").encode()
    content = gzip.compress((HEADER + GOOD).encode()) + gzip.compress(second) + b"\0" * 512
    bars, _, _ = read(write(tmp_path, content, "x.csv.gz"))
    assert len(bars) == 2


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip at all", b"something else"])
def test_a_corrupt_zip_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content, "x.zip")
    bars, _, error = until_error(path)
    assert isinstance(error, MalformedAnswerError)
    assert str(path) in str(error)
    assert bars.is_empty()


def test_a_zip_with_a_wrong_checksum_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", HEADER + GOOD)
    path.write_bytes(path.read_bytes().replace(b",0.5,", b",0.7,"))
    _, _, error = until_error(path)
    assert isinstance(error, BrokenStreamError)


def test_a_zip_of_two_texts_is_refused_unless_the_format_says_which(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AAPL.csv", HEADER + GOOD)
        archive.writestr("MSFT.csv", HEADER + GOOD)
    _, _, error = until_error(path)
    assert "holds 2 files" in str(error)
    bars, _, _ = read(path, PLAIN.but(member="aapl*"))
    assert len(bars) == 1


def test_a_missing_column_is_refused_before_any_row_and_the_payload_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,open,high,low,last\n2024-01-02T14:30:00Z,1,3,0.5,2\n")
    bars, results, error = until_error(path)
    assert isinstance(error, MalformedAnswerError)
    assert str(error).startswith("schema")
    assert "close" in str(error)
    assert bars.is_empty()
    assert results[0].payloads[0].content == path.read_bytes()


def test_another_number_of_columns_is_refused_where_there_is_no_header(tmp_path: Path) -> None:
    spec = load_format("lean_daily").but(symbol_from="argument")
    path = write(tmp_path, "20240102 00:00,1,2,3\n" * 5)
    _, _, error = until_error(path, spec)
    assert str(error).startswith("schema")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    _, _, error = until_error(tmp_path / "none.csv")
    assert isinstance(error, VendorUnavailableError)
    assert "none.csv" in str(error)
    with pytest.raises(VendorUnavailableError, match="none"):
        extent(tmp_path / "none*.csv", PLAIN)


def test_a_binary_file_is_refused_without_filling_memory(tmp_path: Path) -> None:
    chunks = iter([b"\x01" * 1024 * 1024] * 10)
    with pytest.raises(MalformedAnswerError, match="no end"):
        list(line_blocks(chunks, "x"))
    assert len(list(chunks)) == 8


def test_a_broken_file_fails_its_own_symbol_only(tmp_path: Path) -> None:
    spec = PLAIN.but(symbol_from="stem")
    write(tmp_path, "nothing like it\n", "AAPL.csv")
    write(tmp_path, HEADER + GOOD, "MSFT.csv")
    bars, _, results = read(tmp_path, spec, "AAPL", "msft", "IBM")
    outcomes = {k: v.outcome for k, v in results[-1].outcomes.items()}
    assert outcomes == {
        "AAPL": Outcome.FAILED,
        "msft": Outcome.ROWS,
        "IBM": Outcome.FAILED,
    }
    assert bars["vendor_symbol"].to_list() == ["msft"]


def test_two_symbols_are_not_read_from_a_file_that_names_none(tmp_path: Path) -> None:
    _, _, error = until_error(write(tmp_path, HEADER + GOOD), PLAIN, "A", "B")
    assert "one symbol at a time" in str(error)


def test_a_column_of_symbols_goes_before_the_word_of_the_caller(tmp_path: Path) -> None:
    rows = "".join(f"{s},{GOOD}" for s in ("aapl", "MSFT", "", "AAPL"))
    path = write(tmp_path, "ticker," + HEADER + rows)
    bars, rejected, _ = read(path, PLAIN, "AAPL")
    assert bars["symbol"].to_list() == ["AAPL", "AAPL"]
    assert rejected.select("symbol", "reasons").rows() == [("", "missing_symbol")]


def test_a_long_file_leaves_its_digest_instead_of_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, HEADER + GOOD)
    monkeypatch.setattr(source_module, "PAYLOAD_LIMIT", 10)
    bars, _, results = read(path)
    note = json.loads(results[0].payloads[0].content)
    assert note["size"] == path.stat().st_size
    assert len(note["sha256"]) == 64
    assert len(bars) == 1


def test_another_timeframe_is_unavailable(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + GOOD)
    vendor = FilesVendor("plain", PLAIN, path)
    (result,) = vendor.fetch(request(spec=load_format("plain_daily")))
    assert result.outcomes["X"].outcome is Outcome.UNAVAILABLE
