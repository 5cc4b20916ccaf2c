"""`emp alerts`: list, test, silence, replay, close, send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from adapters.operations import SqlAlerts
from adapters.settings import PROJECT, Settings
from emp.cli import run
from tests.support.alert_rows import bad, good, rules
from tests.support.operations_file import open_new
from tests.support.replay_server import ReplayServer, failing, json_body

HOOK = {"name": "hook", "type": "webhook", "url_env": "ALERT_URL"}
PATH = "/services/s3cr3t-path"
Emp = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as found:
        found.reply(PATH, json_body({}))
        yield found


@pytest.fixture
def emp(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: ReplayServer,
) -> Emp:
    """Runs a command line; its status, its JSON or text, and what it complained of."""
    copytree(PROJECT / "config", tmp_path / "config")
    (tmp_path / "config" / "alerts.yaml").write_text(
        yaml.safe_dump({"collect": "0s", "routes": [HOOK]})
    )
    for name in ("EMP_MODE", "OPERATIONS_ALERT_ROUTES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("ALERT_URL", f"{server.url}{PATH}")

    def call(*arguments: str) -> tuple[int, Any, str]:
        status = run(["alerts", *arguments])
        told = capsys.readouterr()
        assert "s3cr3t" not in told.out + told.err
        try:
            return status, json.loads(told.out), told.err
        except ValueError:
            return status, told.out, told.err

    return call


@pytest.fixture
def store(tmp_path: Path) -> SqlAlerts:
    return SqlAlerts(open_new(Settings(data_dir=tmp_path / "data").local_operations_url))


def breaks(store: SqlAlerts) -> str:
    now = datetime.now(UTC)
    (message,) = store.evaluate(lambda _: [bad(now)], rules(HOOK), now).messages
    return message.id


def test_a_test_message_reaches_the_route(emp: Emp, server: ReplayServer):
    status, told, _ = emp("test", "--dry-run", "--json")
    assert (status, told[0]["result"], told[0]["target"]) == (
        0, "would be sent", "the variable ALERT_URL",
    )  # fmt: skip
    assert server.asked == []
    status, told, _ = emp("test")
    assert (status, told) == (0, "hook (the variable ALERT_URL): taken\n")
    assert server.asked[0].json["state"] == "test"
    server.reply(PATH, failing(500))
    status, told, _ = emp("test", "--json")
    assert (status, told[0]["error"]) == (1, "route hook: answered with status 500")


def test_a_list_says_how_many_it_leaves_out(emp: Emp, store: SqlAlerts):
    now = datetime.now(UTC)
    looks = [bad(now, f"check|{number}") for number in range(5)]
    store.evaluate(lambda _: looks, rules(HOOK), now)
    _, told, _ = emp("list", "--limit", "3")
    assert "2 more: --limit 5\n" in told
    _, told, _ = emp("list", "--limit", "3", "--json")
    assert (len(told["alerts"]), told["left_out"]) == (3, 2)
    _, told, _ = emp("list", "--limit", "5")
    assert " more: " not in told
    assert emp("list", "--limit", "5", "--json")[1]["left_out"] == 0
    (mended,) = [good(now + timedelta(seconds=1), "check|0")]
    store.evaluate(lambda _: [mended], rules(HOOK), now + timedelta(days=40))
    assert emp("list", "--limit", "3", "--json")[1]["left_out"] == 1


def test_an_unknown_route_names_those_that_there_are(emp: Emp, monkeypatch: pytest.MonkeyPatch):
    status, _, error = emp("test", "--route", "pager")
    assert (status, error) == (1, "emp: there is no route 'pager'; there are: hook\n")
    monkeypatch.delenv("ALERT_URL")
    status, told, _ = emp("test")
    assert (status, told.strip().endswith("ALERT_URL is not set")) == (1, True)


def test_what_is_open_is_listed_sent_and_closed(emp: Emp, store: SqlAlerts, server: ReplayServer):
    assert emp("list")[1].startswith("no alerts\nroute hook (the variable ALERT_URL): up; 0 wait")
    opened = breaks(store)
    status, told, _ = emp("list", "--json")
    (alert,) = told["alerts"]
    assert (status, alert["key"], alert["phase"]) == (0, "check|a", "open")
    assert (alert["level"], alert["told"]) == ("SEV-2", ["hook"])
    assert told["routes"][0]["waiting"] == 1
    assert "check|a: AAPL 2024-02-08: 0 of 1 bars" in emp("list")[1]
    assert emp("send")[1] == [
        {"route": "hook", "sent": 1, "refused": 0, "error": "", "busy": False}
    ]
    assert emp("close", "check|a")[1] == {"key": "check|a", "messages": 1}
    assert emp("close", "check|a")[0] == 1
    emp("send")
    assert [a.json["state"] for a in server.asked] == ["opened", "recovered"]
    assert server.asked[1].json["resolved"] == [opened]
    assert emp("list", "--json")[1]["alerts"] == []
    assert emp("list", "--all", "--json")[1]["alerts"][0]["phase"] == "closed"


def test_messages_are_listed_and_sent_again(emp: Emp, store: SqlAlerts, server: ReplayServer):
    opened = breaks(store)
    server.reply(PATH, failing(400))
    emp("send")
    (kept,) = emp("list", "--messages", "--undelivered", "--json")[1]
    assert (kept["message_id"], kept["sent_at"]) == (opened, None)
    assert "refused: [SEV-2]" in emp("list", "--messages")[1]
    assert emp("replay")[0] == 1
    assert emp("replay", "--refused", "--dry-run")[1] == {"messages": 1, "dry_run": True}
    server.reply(PATH, json_body({}))
    assert emp("replay", "--refused")[1] == {"messages": 1, "dry_run": False}
    emp("send")
    assert emp("list", "--messages", "--undelivered")[1] == "no messages\n"
    assert emp("replay", "--since", "2020-01-01", "--route", "other")[1]["messages"] == 0
    assert emp("replay", "--since", "2020-01-01")[1]["messages"] == 1


def test_a_silence_is_made_shown_and_ended(emp: Emp, store: SqlAlerts):
    assert emp("silence", "curated/*")[0] == 1
    status, _, error = emp("silence", "curated/*", "--for", "4", "--reason", "new vendor")
    assert (status, "--for: must be a number with a unit" in error) == (1, True)
    status, made, _ = emp("silence", "curated/*", "--for", "4h", "--reason", "new vendor")
    assert (status, made["pattern"], made["reason"]) == (0, "curated/*", "new vendor")
    now = datetime.now(UTC)
    assert store.evaluate(lambda _: [bad(now)], rules(HOOK), now).messages == ()
    assert "curated/*" in emp("silence")[1]
    assert emp("silence", "--json")[1][0]["number"] == made["number"]
    assert emp("silence", "--end", str(made["number"]))[1]["ended"] is True
    assert emp("silence", "--end", str(made["number"]))[0] == 1
    emp("send")
    assert len(emp("list", "--messages", "--json")[1]) == 1


def test_a_wrong_file_names_its_key(emp: Emp, tmp_path: Path):
    (tmp_path / "config" / "alerts.yaml").write_text("collect: soon\n")
    status, _, error = emp("list")
    assert status == 1
    assert "alerts.yaml: collect: must be a number with a unit" in error
