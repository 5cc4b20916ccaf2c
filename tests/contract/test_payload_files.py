"""PayloadFiles keeps the promises of a PayloadArchive."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.stores.payload_files import PayloadFiles
from market_data.errors import MarketDataError
from market_data.ports import Payload


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary())
def test_what_is_put_comes_back_under_its_digest(tmp_path: Path, content: bytes) -> None:
    archive = PayloadFiles(tmp_path)
    address = archive.put(Payload(content, "https://example.org"))
    assert address == hashlib.sha256(content).hexdigest()
    assert PayloadFiles(tmp_path).get(address) == content


def test_content_is_kept_once_compressed_in_two_levels_of_folders(tmp_path: Path) -> None:
    archive = PayloadFiles(tmp_path)
    content = b"2024-01-02,1.0,2.0\n" * 300_000
    first = archive.put(Payload(content, "https://a.example"))
    (file,) = files(tmp_path)
    stamp = file.stat().st_mtime_ns
    assert archive.put(Payload(bytes(bytearray(content)), "https://b.example")) == first
    assert files(tmp_path) == [file]
    assert file.stat().st_mtime_ns == stamp
    assert file.relative_to(tmp_path) == Path(first[:2], first[2:4], f"{first}.zst")
    assert file.stat().st_size < len(content) / 100
    assert archive.get(first) == content


@pytest.mark.parametrize("address", ["0" * 64, "", "../../etc/passwd", "A" * 64])
def test_what_was_never_put_is_a_key_error(tmp_path: Path, address: str) -> None:
    with pytest.raises(KeyError):
        PayloadFiles(tmp_path).get(address)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        PayloadFiles(tmp_path).put(Payload(b"x", "a"))
    assert files(tmp_path) == []


def test_a_damaged_file_is_an_error_and_never_a_short_answer(tmp_path: Path) -> None:
    archive = PayloadFiles(tmp_path)
    address = archive.put(Payload(b"some text " * 1000, "a"))
    (file,) = files(tmp_path)
    damaged = bytearray(file.read_bytes())
    damaged[-6] ^= 0xFF
    for content in (file.read_bytes()[:-8], bytes(damaged)):
        file.write_bytes(content)
        with pytest.raises(MarketDataError, match="damaged"):
            archive.get(address)


def test_many_threads_put_the_same_content(tmp_path: Path) -> None:
    archive, content = PayloadFiles(tmp_path), b"abc" * 100_000
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(archive.put(Payload(content, "a"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert len(files(tmp_path)) == 1
    assert archive.get(found[0]) == content
