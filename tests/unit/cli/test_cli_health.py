"""The exit status of `emp health`."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

import emp.health
from emp.cli import run
from market_data.quality.health import Health


def told(status: str, red: int) -> Health:
    return Health(
        dataset="curated/bars_1d",
        as_of=datetime(2024, 3, 1, tzinfo=UTC),
        sessions=(date(2024, 2, 23), date(2024, 3, 1)),
        status=status,
        reasons=(),
        symbols=4,
        counts={"GREEN": 20 - red, "YELLOW": 0, "RED": red},
        score=1.0,
    )


@pytest.mark.parametrize(
    ("status", "red", "strict", "exit_status"),
    [
        ("GREEN", 0, True, 0),
        ("YELLOW", 0, True, 0),
        ("YELLOW", 1, True, 2),
        ("RED", 0, True, 2),
        ("YELLOW", 1, False, 0),
        ("RED", 9, False, 0),
    ],
)
def test_one_session_with_an_error_is_enough_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, status: str, red: int, strict: bool, exit_status: int
) -> None:
    monkeypatch.setattr(emp.health, "get_dataset_health", lambda *_, **__: told(status, red))
    assert run(["health", *(["--fail-on-quality"] if strict else [])]) == exit_status
