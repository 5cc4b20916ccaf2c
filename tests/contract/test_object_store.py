"""The lake on an S3-compatible object store keeps the promises that it keeps on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bar_store_suite import BarStoreSuite
from raw_log_suite import RawLogSuite

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_raw_log import DeltaRawLog
from tests.support.object_store import ObjectStore, object_store


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as started:
        yield started


@pytest.fixture
def new_store(server: ObjectStore) -> Callable[[], DeltaBarStore]:
    return lambda: DeltaBarStore(server.bucket(), server.options)


@pytest.fixture
def new_log(server: ObjectStore) -> Callable[[], DeltaRawLog]:
    return lambda: DeltaRawLog(server.bucket(), server.options)


class TestDeltaBarStoreOnObjects(BarStoreSuite):
    """The promises of the port."""


class TestDeltaRawLogOnObjects(RawLogSuite):
    """The promises of the port."""
