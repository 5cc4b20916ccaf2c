"""config/alerts.yaml and its variables: what is wrong is named by its key, secrets stay outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from adapters.alerts.configuration import load_alert_rules
from adapters.alerts.opening import open_route, target
from adapters.alerts.secrets import cleaner
from adapters.settings import PROJECT, Settings
from market_data.alerts import Severity
from market_data.errors import ConfigurationError
from tests.support.alert_rows import console, rules

HOOK = {"name": "hook", "type": "webhook", "url_env": "ALERT_URL"}
MAIL: dict[str, Any] = {
    "name": "mail",
    "type": "email",
    "host": "localhost",
    "sender": "a@example.com",
    "recipients": ["b@example.com"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OPERATIONS_ALERT_ROUTES", "EMP_ALERTS_RUNBOOKS", "EMP_ALERTS_UI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def load(folder: Path, **content: Any) -> Any:
    (folder / "alerts.yaml").write_text(yaml.safe_dump(content))
    return load_alert_rules(Settings(config_dir=folder))


def test_the_shipped_file_is_right_and_tells_the_console_alone(folder: Path):
    shipped = load_alert_rules(Settings(config_dir=PROJECT / "config"))
    assert [route.name for route in shipped.routes] == ["console"]
    # A configuration folder of one's own need not hold the file.
    assert load_alert_rules(Settings(config_dir=folder)) == shipped


def test_the_examples_of_the_shipped_file_are_right(folder: Path):
    text = (PROJECT / "config" / "alerts.yaml").read_text()
    head, _, routes = text.partition("routes:\n")
    examples = "\n".join(line.replace("  # ", "  ", 1) for line in routes.splitlines())
    (folder / "alerts.yaml").write_text(f"{head}routes:\n{examples.replace('  #', '')}\n")
    found = load_alert_rules(Settings(config_dir=folder))
    assert {r.type for r in found.routes} == {
        "console", "webhook", "slack", "email", "pagerduty", "kafka",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"colect": "5m"}, "colect: Extra inputs"),
        ({"collect": "5"}, "collect: must be a number with a unit"),
        ({"watch": {"failed_ticks": 0}}, "watch.failed_ticks: "),
        ({"levels": {"chek": {"warn": "SEV-1"}}}, "levels.chek"),
        ({"levels": {"check": {"warn": "SEV-9"}}}, "levels.check.warn"),
        ({"routes": [{"name": "a", "type": "fax"}]}, "routes.a: "),
        ({"routes": [{"name": "a", "type": "webhook"}]}, "routes.a.url_env: Field required"),
        ({"routes": [HOOK | {"severities": ["fatal"]}]}, "routes.hook.severities.0: "),
        ({"routes": [HOOK, HOOK]}, "the name 'hook' is given twice"),
        ({"routes": [MAIL | {"username": "me"}]}, "username and password_env go together"),
        (
            {"routes": [MAIL | {"username": "me", "password_env": "PW", "security": "none"}]},
            "not sent in the clear",
        ),
        ({"routes": [HOOK | {"timeout": "2m"}]}, "routes.hook.timeout: "),
    ],
)
def test_what_is_wrong_is_named_by_its_key(folder: Path, content: dict[str, Any], told: str):
    with pytest.raises(ConfigurationError) as failure:
        load(folder, **content)
    assert told in str(failure.value)
    assert "alerts.yaml" in str(failure.value)


@pytest.mark.parametrize("key", ["url", "url_env"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(folder: Path, key: str):
    secret = "https://hooks.example.com/services/T0/s3cr3t-value"
    with pytest.raises(ConfigurationError) as failure:
        load(folder, routes=[{"name": "hook", "type": "webhook", key: secret}])
    assert f"routes.hook.{key}" in str(failure.value)
    assert "s3cr3t" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_the_variable_chooses_routes_and_severities(folder: Path, monkeypatch: pytest.MonkeyPatch):
    content = {"routes": [console("a"), console("b"), console("c")]}
    monkeypatch.setenv("OPERATIONS_ALERT_ROUTES", "b, error:a")
    found = load(folder, **content)
    assert [(r.name, r.severities) for r in found.routes] == [
        ("a", (Severity.ERROR,)),
        ("b", (Severity.ERROR, Severity.WARN)),
    ]
    monkeypatch.setenv("OPERATIONS_ALERT_ROUTES", "none")
    assert load(folder, **content).routes == ()
    monkeypatch.setenv("OPERATIONS_ALERT_ROUTES", "pager")
    with pytest.raises(ConfigurationError, match=r"no route 'pager'.*there are: a, b, c"):
        load(folder, **content)
    monkeypatch.setenv("OPERATIONS_ALERT_ROUTES", "fatal:a")
    with pytest.raises(ConfigurationError, match="'fatal' is no severity"):
        load(folder, **content)


def test_addresses_of_links_come_from_the_environment_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EMP_ALERTS_RUNBOOKS", "https://docs.example.com/runbooks/")
    monkeypatch.setenv("EMP_ALERTS_UI", "https://dagster.example.com")
    from tests.support.alert_rows import trouble

    found = load(folder, routes=[])
    assert found.page(trouble()) == "https://docs.example.com/runbooks/check-coverage.md"
    placed = trouble(runbook="check-coverage#no_data")
    assert found.page(placed) == "https://docs.example.com/runbooks/check-coverage.md#no_data"
    assert found.run_page(trouble()) == "https://dagster.example.com/runs/run-1"


def test_links_lead_to_the_installed_pages_where_nobody_gave_an_address(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    from tests.support.alert_rows import trouble

    page = urlsplit(load(folder, routes=[]).page(trouble(runbook="check-coverage#no_data")))
    assert (page.scheme, page.fragment) == ("file", "no_data")
    assert Path(page.path).read_text().startswith("# Check `coverage`")
    monkeypatch.setenv("EMP_ALERTS_RUNBOOKS", "our/pages")
    assert load(folder, routes=[]).page(trouble()) == "our/pages/check-coverage.md"


def test_values_of_secrets_leave_every_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALERT_URL", "https://hooks.example.com/services/T0/B0/abcdefgh")
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://emp:tiger-lily@db/emp")
    monkeypatch.setenv("SOME_API_KEY", "k3y-k3y-k3y")
    clean = cleaner(rules(HOOK))
    text = clean(
        "POST https://hooks.example.com/services/T0/B0/abcdefgh failed; at /services/T0/B0/abcdefgh"
        " login tiger-lily refused; k3y-k3y-k3y; token=xyz; https://u:p@host/"
    )
    for secret in ("abcdefgh", "tiger-lily", "k3y-k3y-k3y", "xyz", "u:p@"):
        assert secret not in text


def test_neither_a_route_nor_its_target_shows_its_address(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALERT_URL", "https://hooks.example.com/services/T0/B0/abcdefgh")
    found = rules(
        HOOK,
        MAIL,
        {"name": "pd", "type": "pagerduty", "routing_key_env": "ALERT_URL"},
        {"name": "sl", "type": "slack", "url_env": "ALERT_URL"},
        {"name": "k", "type": "kafka"},
        console("c"),
    )
    for route in found.routes:
        assert "abcdefgh" not in f"{open_route(route)!r} {target(route)} {route!r}"
