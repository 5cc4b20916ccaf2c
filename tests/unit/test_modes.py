"""Which mode an installation runs in, and what it says that it lacks."""

from __future__ import annotations

import os
import re
import runpy
import warnings
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from adapters.modes import _tell_of_bootstrap, check, decide, settings_classes
from adapters.settings import Mode, Settings
from adapters.variables import read, variables_of
from market_data.errors import BootstrapModeWarning, ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
WHOLE = {
    "EMP_OPERATIONS_URL": "postgresql://emp:hunter2@127.0.0.1:1/operations",
    "TIMESCALEDB_URL": "postgresql://emp:hunter2@127.0.0.1:1/emp",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}

PREFIXES = ("EMP_", "TIMESCALE", "DATABASE_URL", "REDIS_", "KAFKA_", "DAGSTER_POSTGRES_")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_bootstrap_looks_at_no_server(whole: pytest.MonkeyPatch) -> None:
    found = decide(Settings())
    assert (found.mode, found.servers) == (Mode.BOOTSTRAP, None)
    assert found.operations_url.startswith("sqlite:")


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        decide(Settings(mode="institutional"))
    for name in WHOLE:
        assert name in str(raised.value)


@pytest.mark.parametrize("name", WHOLE)
def test_auto_falls_back_and_says_why(whole: pytest.MonkeyPatch, name: str) -> None:
    whole.delenv(name)
    _tell_of_bootstrap.cache_clear()
    with pytest.warns(BootstrapModeWarning, match=f"bootstrap mode, since .*{name}") as told:
        found = decide(Settings(mode=" Auto "))
        decide(Settings(mode="auto"))
    assert len(told) == 1
    assert found.mode is Mode.BOOTSTRAP
    assert name in found.reason


@pytest.mark.parametrize("name", ["EMP_MODE", "EMP_DATA_DIR", "EMP_UI_PORT", "EMP_OPERATIONS_URL"])
def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert read(Settings) == Settings.model_construct()


def test_auto_falls_back_for_wrong_limits_of_the_cache(whole: pytest.MonkeyPatch) -> None:
    whole.setenv("REDIS_CACHE_TTL_SECONDS", "soon")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BootstrapModeWarning)
        found = decide(Settings(mode="auto"))
    assert found.mode is Mode.BOOTSTRAP
    assert "REDIS_CACHE_TTL_SECONDS" in found.reason


def test_bootstrap_by_choice_tells_nothing(whole: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decide(Settings())
        decide(Settings(mode="auto"))


def test_auto_takes_the_servers_where_all_is_right(whole: pytest.MonkeyPatch) -> None:
    found = decide(Settings(mode="auto"))
    assert found.mode is Mode.INSTITUTIONAL
    assert found.operations_url == WHOLE["EMP_OPERATIONS_URL"]
    assert "hunter2" not in f"{found!r} {found.reason} {found.servers!r}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMP_OPERATIONS_URL", "sqlite:///hunter3.sqlite"),
        ("EMP_OPERATIONS_URL", "postgresqlhunter3"),
        ("EMP_OPERATIONS_URL", "postgresql://emp:hunter3@127.0.0.1"),
        ("EMP_OPERATIONS_URL", "postgresql+hunter3://emp@127.0.0.1/operations"),
        ("EMP_OPERATIONS_URL", "postgresql://emp:hunter3@127.0.0.1:port/operations"),
        ("TIMESCALEDB_STATEMENT_TIMEOUT_MS", "99999999999999"),
        ("REDIS_CACHE_STRATEGY", "hunter3"),
        ("DAGSTER_POSTGRES_PORT", "hunter3"),
        ("TIMESCALEDB_URL", "mysql://emp:hunter3@127.0.0.1/emp"),
        ("TIMESCALEDB_POOL_SIZE", "hunter3"),
        ("REDIS_URL", "http://hunter3"),
        ("REDIS_PORT", "hunter3"),
        ("KAFKA_BOOTSTRAP_SERVERS", "user:hunter3@host"),
    ],
)
def test_a_wrong_value_is_named_and_never_repeated(
    whole: pytest.MonkeyPatch, name: str, value: str
) -> None:
    whole.setenv(name, value)
    problems, servers = check(Settings(mode="institutional"))
    assert servers is None
    told = "; ".join(map(str, problems))
    assert name in told
    assert "hunter" not in told


def test_streaming_can_be_done_without(whole: pytest.MonkeyPatch) -> None:
    whole.delenv("KAFKA_BOOTSTRAP_SERVERS")
    for off in ("false", "0", "no", "off"):
        whole.setenv("KAFKA_INGEST_ENABLE_STREAMING", off)
        found = decide(Settings(mode="institutional"))
        assert found.servers is not None
        assert not found.servers.kafka.streaming


def test_parts_make_the_url_and_the_url_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.timescale.settings import TimescaleSettings

    monkeypatch.setenv("TIMESCALEDB_HOST", "db.example")
    monkeypatch.setenv("TIMESCALEDB_USER", "a@b")
    monkeypatch.setenv("TIMESCALEDB_PASSWORD", "p/w:@")
    monkeypatch.setenv("TIMESCALEDB_SSLMODE", "require")
    made = read(TimescaleSettings).conninfo()
    assert made.startswith("postgresql://a%40b:p%2Fw%3A%40@db.example:5432/emp?sslmode=require")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x:y@first.example/one")
    assert "first.example" in read(TimescaleSettings).conninfo()
    monkeypatch.setenv("TIMESCALEDB_URL", "postgresql+psycopg://x:y@second.example/two")
    assert read(TimescaleSettings).conninfo().startswith("postgresql://x:y@second.example/two?")
    assert read(TimescaleSettings).shown == "second.example:5432/two"


def test_dagsters_records_are_named_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.dagster_storage import DagsterStorageSettings

    assert not read(DagsterStorageSettings).configured
    monkeypatch.setenv("DAGSTER_POSTGRES_HOST", "db.example")
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "hunter2")
    with pytest.raises(ConfigurationError) as raised:
        read(DagsterStorageSettings)
    monkeypatch.setenv("DAGSTER_POSTGRES_PORT", "70000")
    with pytest.raises(ConfigurationError) as both:
        read(DagsterStorageSettings)
    assert "DAGSTER_POSTGRES_PORT: must be a number" in str(both.value)
    assert "DAGSTER_POSTGRES_DB: set it" in str(both.value)
    for name in ("PORT", "USER", "DB"):
        assert f"DAGSTER_POSTGRES_{name}: set it" in str(raised.value)
    assert "DAGSTER_POSTGRES_HOST" not in str(raised.value)
    for name, value in {"PORT": "5432", "USER": "emp", "DB": "dagster"}.items():
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", value)
    found = read(DagsterStorageSettings)
    assert found.configured
    assert "hunter2" not in f"{found!r} {found} {raised.value}"


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    read_here = {
        name for kind in settings_classes() for v in variables_of(kind) for name in v.names
    }
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", text))
    other = set(re.findall(r"`([A-Z0-9_]+)`", text.split("## Read by others")[1]))
    assert read_here <= documented
    assert documented - other == read_here
    for kind in settings_classes():
        for variable in variables_of(kind):
            assert variable.meaning, variable.names


def test_every_variable_of_the_yaml_files_is_documented() -> None:
    """Dagster and compose read variables, too."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text))
    files = [*(ROOT / "docker").glob("*.yaml"), ROOT / "dagster.yaml", ROOT / "workspace.yaml"]
    asked = {
        name
        for file in files
        for name in re.findall(r"\benv: *(\w+)|(?<!\$)\$\{(\w+)", file.read_text())
    }
    names = {first or second for first, second in asked}
    assert {"DAGSTER_COMPUTE_LOGS", "EMP_IMAGE"} <= names
    assert names <= documented
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    assert set(compose["x-platform"]["environment"]) <= documented


def test_the_page_is_as_the_generator_writes_it() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "make_configuration.py"))
    assert scope["page"]() == (ROOT / "docs" / "configuration.md").read_text()


def test_no_other_place_reads_the_environment() -> None:
    """Settings come from the settings classes; whoever needs more says it in the documentation."""
    other = (ROOT / "docs" / "configuration.md").read_text().split("## Read by others")[1]
    pattern = re.compile(r"(?:environ(?:\.get)?|getenv)[\[(]\s*\"([A-Z_0-9]+)\"")
    for room in ("market_data", "adapters", "resources", "emp_assets", "jobs", "sensors", "emp"):
        for file in (ROOT / room).rglob("*.py"):
            for name in pattern.findall(file.read_text()):
                assert f"`{name}`" in other, f"{file}: {name}"


def flags() -> list[tuple[type[BaseSettings], str]]:
    return [
        (kind, name)
        for kind in settings_classes()
        for name, field in kind.model_fields.items()
        if field.annotation is bool
    ]


def test_there_are_flags() -> None:
    assert len(flags()) >= 4


@pytest.mark.parametrize(("kind", "name"), flags())
def test_a_flag_takes_every_usual_word(
    kind: type[BaseSettings], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
    for value, words in {
        True: ("1", "true", "TRUE", "yes", "Yes", "on", "ON"),
        False: ("0", "false", "False", "no", "NO", "off", "Off"),
    }.items():
        for word in words:
            monkeypatch.setenv(variable, word)
            assert getattr(kind(), name) is value, (variable, word)
    monkeypatch.setenv(variable, "perhaps")
    with pytest.raises(ConfigurationError, match=variable):
        read(kind)
