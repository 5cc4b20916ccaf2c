"""A log that could not be fetched is not a damaged one: only what was fetched and is wrong is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import deltalake
import pytest
from deltalake.exceptions import DeltaError

from adapters.stores.delta_place import TablePlace
from adapters.stores.delta_transport import is_transport
from market_data.datasets import SCORES_DATASET
from market_data.errors import StoreUnavailableError, TableDamagedError

LOST = [
    "Kernel error: Error interacting with object store: Generic S3 error: Error performing GET "
    "http://minio:9000/lake/t/_delta_log/00000000000000000007.json in 3.2s, after 10 retries, "
    "max_retries: 10, retry_timeout: 180s  - HTTP error: error sending request",
    "Generic DeltaTable error: Generic S3 error: Server error: 503 Service Unavailable",
    "Kernel error: Arrow error: External: request or response body error: operation timed out",
    "Kernel error: External error: connection reset by peer",
]
SPOILT = [
    "Kernel error: Invalid table version: Expected ordered contiguous commit files",
    "Invalid JSON in log record, version=3, line=`{`",
    "Kernel error: Json error: Encountered unexpected end of stream",
    "Kernel error: Object at location t/_delta_log/00000000000000000004.json not found: 404 Error "
    "performing GET: NoSuchKey",
]


@pytest.mark.parametrize("told", LOST)
def test_words_of_a_request_that_failed(told: str) -> None:
    assert is_transport(DeltaError(told))
    outer = DeltaError("the log could not be read")
    outer.__cause__ = OSError(told)
    assert is_transport(outer)


@pytest.mark.parametrize("told", SPOILT)
def test_words_of_a_log_that_is_spoilt(told: str) -> None:
    assert not is_transport(DeltaError(told))


def failing(told: str) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise DeltaError(told)

    return fail


@pytest.mark.parametrize(
    ("told", "expected"),
    [(LOST[0], StoreUnavailableError), (SPOILT[0], TableDamagedError)],
)
def test_a_table_on_a_flaky_store_is_not_called_damaged(
    told: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deltalake, "DeltaTable", failing(told))
    monkeypatch.setattr(TablePlace, "mended", lambda _: None)
    with pytest.raises(expected):
        TablePlace("s3://bucket/lake", SCORES_DATASET).open()


def test_on_a_disk_whatever_the_log_says_is_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deltalake, "DeltaTable", failing(LOST[0]))
    with pytest.raises(TableDamagedError):
        TablePlace(tmp_path, SCORES_DATASET).open()
