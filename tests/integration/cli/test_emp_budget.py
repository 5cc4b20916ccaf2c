"""'emp budget' and 'emp vendors', and docs/runbooks/vendor-limits.md, step by step."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import emp
from emp.cli import run
from tests.support.replay_server import Asked, ReplayServer, Reply, failing, json_body
from tests.support.yahoo_replay import CHART, chart, serve_basics

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs/runbooks/vendor-limits.md"
SYMBOLS = ["AAPL", "MSFT", "SPY", "EURUSD", "GBPUSD", "USDJPY"]
DAYS = ["--start", "2024-01-02", "--end", "2024-01-05"]


@dataclass
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Somebody who types commands."""

    def __init__(self, capfd: pytest.CaptureFixture[str], data: Path) -> None:
        self._capfd = capfd
        self.data = data
        self.commands = re.findall(r"^ {7,}(\S.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)

    def emp(self, *arguments: str) -> Said:
        self._capfd.readouterr()
        status = run(arguments)
        told = self._capfd.readouterr()
        return Said(status, told.out, told.err)

    def next(self, begins: str) -> Said:
        """The runbook's next command."""
        command = self.commands.pop(0)
        assert command.startswith(begins), command
        if command.startswith("emp "):
            return self.emp(*shlex.split(command)[1:])
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        return Said(done.returncode, done.stdout, done.stderr)


def bars(asked: Asked) -> Reply:
    """A bar at half past two of each day, in the range that is asked for."""
    first = datetime.fromtimestamp(int(asked.query["period1"]), UTC).replace(hour=14, minute=30)
    last = datetime.fromtimestamp(int(asked.query["period2"]), UTC)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    stamps = [int(day.timestamp()) for day in days if day.weekday() < 5 and day < last]
    return json_body(chart(stamps, [100.0] * len(stamps), currency="USD", zone="America/New_York"))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    """A Yahoo; each question is put once, so that nobody waits between attempts."""
    config = tmp_path / "config"
    (config / "formats").mkdir(parents=True)
    universe = yaml.safe_load((ROOT / "config/universe.yaml").read_text())
    universe["vendors"] = [v for v in universe["vendors"] if v["name"] in ("yahoo", "sample_a")]
    universe["priority"] = {"default": ["yahoo", "sample_a"]}
    (config / "universe.yaml").write_text(yaml.safe_dump(universe))
    (config / "quality.yaml").write_text((ROOT / "config/quality.yaml").read_text())
    monkeypatch.setenv("EMP_CONFIG_DIR", str(config))
    monkeypatch.setenv("YAHOO_ATTEMPTS", "1")
    monkeypatch.setenv("YAHOO_PAUSE", "0")
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    with ReplayServer() as replay:
        monkeypatch.setenv("EMP_YAHOO_URL", replay.url)
        serve_basics(replay)
        for symbol in ("AAPL", "MSFT"):
            replay.reply(CHART + symbol, bars, interval="1d")
            replay.reply(CHART + symbol, json_body(chart([], [])), interval="1mo")
        yield replay


@pytest.fixture
def shell(server: ReplayServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd, tmp_path / "data")


def yahoo(shell: Shell) -> Any:
    (found,) = shell.emp("budget", "--vendor", "yahoo", "--json").json
    return found


def ingest(shell: Shell, symbols: str, *more: str) -> Said:
    return shell.emp("ingest", "--vendor", "yahoo", "--symbols", symbols, *DAYS, *more)


def test_the_runbook_holds_what_it_promises(
    shell: Shell, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = list(server._routes)
    for symbol in ("AAPL", "MSFT", "SPY"):
        server.reply(CHART + symbol, failing(500))
    for name in ("EURUSD", "GBPUSD", "USDJPY"):
        server.reply(f"{CHART}{name}=X", failing(500))
    before = len(server.asked)
    failed = ingest(shell, ",".join(SYMBOLS))
    assert failed.status == 1
    details = {s: o["detail"] for s, o in failed.json["outcomes"].items()}
    assert sum("is left alone after 5 failures" in told for told in details.values()) == 1
    asked = len(server.asked)

    # 1. and 2. It shows whose breaker is open, and until when, and who is on at all.
    told = shell.next("emp budget")
    assert re.search(r"\| yahoo +\| open +\| 5 +\| 20\d\d-[\d: -]+\|.*500", told.out), told.out
    assert "| yahoo  | minute | 100" in told.out
    assert "tier 2): not connected" in shell.next("emp vendors").out
    assert yahoo(shell)["breaker"]["state"] == "open"
    stats = emp.get_circuit_breaker_stats("yahoo").row(0, named=True)
    assert (stats["state"], stats["failures"], stats["opened"]) == ("open", 5, 1)
    assert stats["retry_at"] > datetime.now(UTC)

    # 3. What a run would ask is told without asking.
    dry = shell.next("emp ingest")
    assert "yahoo needs 2 requests, at once under its limits: " in dry.out
    # Five questions, the crumb, and the page of the cookie where this process has none yet.
    assert f"{2_000 - (asked - before):,} left of 2,000 requests per hour" in dry.out, dry.out

    # 4. More patience does not help while the breaker is open: nobody is asked.
    patient = shell.next("emp ingest")
    assert patient.status == 1
    assert "emp budget reset --vendor yahoo --breaker" in patient.json["outcomes"]["AAPL"]["detail"]
    assert len(server.asked) == asked

    # 5. It is mended, and asked again at once.
    server._routes[:] = routes
    assert shell.next("emp budget reset").out == "the breaker of yahoo is closed\n"
    assert yahoo(shell)["breaker"] == {
        "state": "closed",
        "failures": 0,
        "opened": 0,
        "tried_again_at": None,
        "held_until": None,
        "trouble": "",
    }

    # 6. A file that is broken stops every request, and is replaced.
    book = shell.data / "operations" / "requests.sqlite"
    for file in book.parent.glob("requests.sqlite*"):
        file.unlink()
    # Another file: the commands before ran in this process, which keeps theirs open.
    book.write_bytes(b"not a database" * 1_000)
    stopped = shell.emp("budget")
    assert stopped.status == 1
    assert "The request budget".lower() in stopped.err
    assert shell.next("mv ").status == 0

    # 8. The repeated run fetches what was lacking.
    assert shell.next("emp ingest").status == 0
    told = shell.next("emp budget --vendor yahoo")
    assert re.search(r"\| yahoo +\| hour +\| 2,?000 +\| 3 +\| 1,?997 +\| now", told.out), told.out
    covered = shell.next("emp coverage")
    assert covered.out.count("| rows ") >= 4
    assert shell.commands == []


def test_two_runs_that_want_the_last_request_of_the_hour(
    shell: Shell, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is refused with everything that a person needs, and lands later."""
    monkeypatch.setenv("YAHOO_REQUESTS_PER_HOUR", "4")
    assert ingest(shell, "AAPL").status == 0
    refused = ingest(shell, "MSFT")
    assert refused.status == 1
    outcome = refused.json["outcomes"]["MSFT"]
    assert outcome["outcome"] == "refused"
    assert re.search(
        r"yahoo: 4 requests per hour are used up; YAHOO_REQUESTS_PER_HOUR says what is allowed; "
        r"its next request can be sent at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in \d+ min",
        outcome["detail"],
    ), outcome
    assert "yahoo needs 2 requests, within 1 hour under its limits" in refused.err
    assert "has room for 1 of these 2 requests" in refused.err
    hour = yahoo(shell)["windows"][1]
    assert (hour["limit"], hour["used"], hour["left"]) == (4, 4, 0)
    assert hour["next_slot"] > datetime.now(UTC).isoformat()
    assert emp.get_request_budget("yahoo")["left"].to_list() == [96, 0]
    monkeypatch.setenv("YAHOO_REQUESTS_PER_HOUR", "10")
    assert ingest(shell, "MSFT").status == 0


def test_a_dry_run_tells_its_cost_as_json_and_uses_none(shell: Shell, server: ReplayServer) -> None:
    told = ingest(shell, "AAPL,MSFT", "--dry-run", "--json").json["cost"]
    assert told == {
        "requests": 4,
        "seconds_at_most": 0.0,
        "fits_today": True,
        "refused_now": 0,
        "windows": [
            {"per": "minute", "limit": 100, "used": 0, "left": 100},
            {"per": "hour", "limit": 2000, "used": 0, "left": 2000},
        ],
    }
    assert server.asked == []
    assert not shell.data.exists()
    assert (
        shell.emp("ingest", "--vendor", "sample_a", *DAYS, "--dry-run", "--json").json["cost"]
        is None
    )


def test_wrong_names_are_refused_with_the_right_ones(shell: Shell) -> None:
    for wrong, why in (("sample_a", "sends no requests"), ("nobody", "is no vendor")):
        told = shell.emp("budget", "--vendor", wrong)
        assert told.status == 1
        assert f"{wrong} {why}" in told.err
        assert told.err.rstrip().endswith("there are: fred, yahoo")
    told = shell.emp("budget", "reset", "--vendor", "yahoo")
    assert told.status == 1
    assert "say --breaker" in told.err


def test_vendors_lists_configured_ones_first_and_those_that_are_only_listed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {line["name"]: line for line in shell.emp("vendors", "--json").json}
    assert list(lines)[:2] == ["sample_a", "yahoo"]
    assert lines["yahoo"]["kept"] == ["100 requests per minute", "2,000 requests per hour"]
    assert lines["yahoo"]["on"]
    assert lines["bloomberg"]["standing"] == "not connected"
    assert lines["fred"]["standing"] == "off: FRED_API_KEY is not set"
    assert lines["coinbase"]["standing"].startswith("off: no vendor of config/universe.yaml")
    assert {lines[n]["tier"] for n in ("yahoo", "tws", "refinitiv")} == {0, 1, 2}
    monkeypatch.setenv("FRED_API_KEY", "f" * 32)
    on = shell.emp("vendors", "--on").out
    assert "fred (reader fred, tier 0): on, for macro releases" in on
    assert "bloomberg" not in on
    assert "f" * 32 not in on
