"""`emp reference` and the client's reference data, over real files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import emp
from adapters.settings import Settings
from emp.cli import run
from market_data.errors import ConfigurationError
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "reference"
    shutil.copytree(ROOT / "config" / "reference", folder)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMP_REFERENCE_DIR", str(folder))
    return folder


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert run(["reference", *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_check_is_calm_about_the_shipped_files(
    reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "check")
    assert found["ok"]
    assert {row["change"] for row in found.pop("changed_instruments")} == {"new"}
    assert {name for name, part in found.items() if part} == {"ok"}


def test_check_names_unknown_calendars_and_doubtful_names(
    reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reference / "instruments.yaml").write_text(
        "instruments:\n"
        "  - symbol: A\n    asset_class: equity\n    calendar: XNOWHERE\n"
        "    vendor_symbols: {yahoo: AAPL}\n"
        "  - symbol: B\n    asset_class: equity\n    calendar: XNYS\n    listed: 2022-06-01\n"
        "    delisted: 2022-06-30\n"
        "    tickers:\n"
        "      - {vendor: yahoo, symbol: OLD, to: 2022-06-08}\n"
        "      - {vendor: yahoo, symbol: NEW, from: 2022-06-14}\n"
    )
    found = answer(capsys, "check", status=1)
    assert not found["ok"]
    assert [row["calendar"] for row in found["unknown_calendars"]] == ["XNOWHERE"]
    assert found["duplicate_aliases"] == [{"vendor": "yahoo", "name": "AAPL", "symbols": "A, AAPL"}]
    assert found["sessions_without_ticker"] == [
        {
            "symbol": "B",
            "vendor": "yahoo",
            "first": "2022-06-09",
            "last": "2022-06-13",
            "sessions": 3,
        }
    ]


def test_a_wrong_file_is_one_line_and_status_1(
    reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reference / "holidays.yaml").write_text("calendars:\n  fx:\n    - {date: 2024-05-06}\n")
    for command in (["reference", "check"], ["config", "check"]):
        assert run(command) == 1
        told = "".join(capsys.readouterr())
        assert "holidays.yaml, line 3: calendars.fx.0: give closed alone" in told


def test_show_holidays(reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (reference / "holidays.yaml").write_text(
        "calendars:\n  XNYS:\n    - {date: 2025-03-03, closed: true, note: mourning}\n"
        '    - {date: 2025-03-04, close: "13:00", note: storm}\n'
    )
    span = ("--start", "2025-03-01", "--end", "2025-03-31")
    rows = answer(capsys, "show", "holidays", *span)
    assert [(r["session"], r["change"], r["note"]) for r in rows] == [
        ("2025-03-03", "closed", "mourning"),
        ("2025-03-04", "other hours or bars", "storm"),
    ]
    assert answer(capsys, "show", "holidays", "--calendar", "fx", *span) == []
    assert len(answer(capsys, "show", "sessions", "--calendar", "XNYS", *span)) == 20


def test_a_map_file_becomes_tickers(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "map.csv"
    file.write_text("20120518,fb,Q\n20220608,fb,Q\n20501231,meta,Q\n")
    wish = ["reference", "import-map", str(file), "--symbol", "MSFT", "--vendor", "yahoo"]
    for _ in range(2):
        assert run(wish) == 0
        assert answer(capsys, "show", "tickers") == [
            {
                "symbol": "MSFT",
                "vendor": "yahoo",
                "ticker": "FB",
                "from": "2012-05-18",
                "to": "2022-06-08",
            },
            {
                "symbol": "MSFT",
                "vendor": "yahoo",
                "ticker": "META",
                "from": "2022-06-09",
                "to": None,
            },
        ]
    file.write_text("20120518,fb,Q\n20501231,fb,Q\n")
    assert run(wish) == 0
    assert [r["ticker"] for r in answer(capsys, "show", "tickers")] == ["FB"]
    file.write_text("nothing\n")
    assert run(wish) == 1


def test_tickers_of_the_configuration_go_first(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reference / "instruments.yaml").write_text(
        "instruments:\n  - symbol: S\n    asset_class: equity\n    calendar: XNYS\n"
        "    tickers: [{vendor: yahoo, symbol: OWN}]\n"
    )
    file = tmp_path / "map.csv"
    file.write_text("20120518,fb,Q\n20501231,fb,Q\n")
    wish = ["reference", "import-map", str(file), "--symbol", "S", "--vendor", "yahoo"]
    assert run(wish) == 1
    assert "gives tickers of S at yahoo, which go first" in capsys.readouterr().err


def test_the_client_reads_what_the_files_say(reference: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", reference_dir=reference)
    instruments = emp.get_instruments(settings=settings)
    INSTRUMENTS.check(instruments)
    assert instruments.filter(symbol="EURUSD")["calendar"].item() == "fx"
    assert emp.get_instruments("AAPL", settings=settings).height == 1
    with pytest.raises(ConfigurationError, match="NONE"):
        emp.get_instruments(["NONE"], settings=settings)
    days = ("2016-12-24", "2016-12-28")
    sessions = emp.get_trading_sessions("fx", *days, settings=settings)
    TRADING_SESSIONS.check(sessions)
    assert sessions["session"].to_list() == [date(2016, 12, d) for d in (26, 27, 28)]
    assert sessions["changed"].null_count() == 1
    (reference / "holidays.yaml").write_text(
        "calendars:\n  fx: [{date: 2016-12-27, closed: true}]\n"
    )
    closed = emp.get_trading_sessions("fx", *days, settings=settings, refresh=True)
    assert closed["session"].to_list() == [date(2016, 12, d) for d in (26, 28)]
    with pytest.raises(ConfigurationError, match="XNOWHERE"):
        emp.get_trading_sessions("XNOWHERE", *days, settings=settings)


def test_a_notebook_gets_them_without_dagster(reference: Path) -> None:
    code = (
        "import sys, emp; emp.get_instruments(); "
        "emp.get_trading_sessions('fx', '2024-01-01', '2024-01-31'); "
        "print([m for m in ('dagster', 'pandas', 'deltalake', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
