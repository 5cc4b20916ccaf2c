"""Importing the calendars must stay cheap: the library and pandas load with the first exchange."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*({{'pandas', 'exchange_calendars'}} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_loads_no_pandas() -> None:
    assert loaded_after("import market_data.calendars") == set()


def test_fx_and_crypto_need_no_pandas_either() -> None:
    code = (
        "from datetime import date\n"
        "from market_data.calendars import trading_sessions\n"
        "for calendar in ('fx', '24/7'):\n"
        "    trading_sessions(calendar, date(2024, 1, 1), date(2024, 12, 31))"
    )
    assert loaded_after(code) == set()


def test_an_exchange_loads_the_library() -> None:
    code = "from market_data.calendars import exchange_zone\nexchange_zone('XNYS')"
    assert loaded_after(code) == {"pandas", "exchange_calendars"}
