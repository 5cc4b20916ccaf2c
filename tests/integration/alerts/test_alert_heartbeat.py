"""The sign of life for a watcher outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.alerts.configuration import load_alert_rules
from adapters.alerts.heartbeat import beat
from adapters.alerts.secrets import cleaner
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from sensors.alert_ticks import deliver
from tests.support.operations_file import give_operations
from tests.support.replay_server import ReplayServer, Reply, failing, json_body, redirect

KEY = "/ping/0d3c9a51-s3cr3t"
VARIABLE = "EMP_ALERTS_HEARTBEAT_URL"


@pytest.fixture
def watcher() -> Iterator[ReplayServer]:
    with ReplayServer() as found:
        found.reply(KEY, json_body({}))
        yield found


@pytest.fixture
def platform(tmp_path: Path) -> Any:
    """What a delivery needs of the platform: its settings and its operations database."""
    settings = Settings(data_dir=tmp_path)
    give_operations(settings)
    opened = open_operations(settings.local_operations_url)
    return SimpleNamespace(
        settings=lambda: settings, operations=SimpleNamespace(open=lambda: opened)
    )


def test_every_delivery_gives_a_sign_where_somebody_listens(
    platform: Any, watcher: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert deliver(platform).skip_message == "nothing waits"
    assert watcher.asked == []
    monkeypatch.setenv(VARIABLE, f"{watcher.url}{KEY}")
    assert [deliver(platform).skip_message for _ in range(2)] == ["nothing waits"] * 2
    assert len(watcher.asked) == 2


def test_a_delivery_that_fails_gives_none(
    platform: Any, watcher: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the database is away")

    monkeypatch.setenv(VARIABLE, f"{watcher.url}{KEY}")
    monkeypatch.setattr("adapters.alerts.sender.AlertSender.drain", fail)
    with pytest.raises(RuntimeError):
        deliver(platform)
    assert watcher.asked == []


@pytest.mark.parametrize("reply", [failing(500), failing(404), redirect("http://example.invalid/")])
def test_a_watcher_that_does_not_take_it_holds_nothing_up_and_is_not_named(
    platform: Any, watcher: ReplayServer, monkeypatch: pytest.MonkeyPatch, reply: Reply
):
    watcher.reply(KEY, reply)
    monkeypatch.setenv(VARIABLE, f"{watcher.url}{KEY}")
    told = deliver(platform).skip_message
    assert told == f"nothing waits; the heartbeat was answered with status {reply.status}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/s3cr3t", "no address s3cr3t", "ftp://s3cr3t/"])
def test_a_watcher_that_is_not_there_is_told_without_its_address(url: str):
    told = beat(SecretStr(url))
    assert told.startswith("the heartbeat did not leave: ")
    assert "s3cr3t" not in told


def test_the_address_is_in_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, f"https://hc-ping.com{KEY}")
    clean = cleaner(load_alert_rules(Settings(data_dir=tmp_path)))
    assert "s3cr3t" not in clean(f"GET https://hc-ping.com{KEY} failed; {KEY.strip('/')}")
