"""Reference tables on an object store that does not answer."""

from __future__ import annotations

import pytest

from adapters.stores.reference_tables import ReferenceTables
from market_data.errors import StoreUnavailableError


def test_a_read_of_a_store_that_does_not_answer_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreUnavailableError, match="AWS_ENDPOINT_URL"):
        ReferenceTables("s3://nowhere/warehouse").get("reference/instruments")
