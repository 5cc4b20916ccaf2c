"""`emp backfill`: what its commands print, refuse and exit with; no piece is run here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.backfill_turns import open_turns
from adapters.operations import SqlBackfills
from adapters.settings import Settings
from emp.backfill_driver import Driver
from emp.backfills import seconds_left, size, span
from emp.cli import run
from emp.supervision import Stop
from market_data.backfill.plans import BackfillRequest
from market_data.backfill.records import Backfill, BackfillState, PieceState
from tests.support.backfill_plans import NOW, plan_of
from tests.support.operations_file import open_new

RANGE = ["--start", "2024-01-02", "--end", "2024-03-08"]
ASKED = ["--symbols", "DEMO-ACME,DEMO-BTC", "--vendor", "sample_a", *RANGE]
Emp = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Emp:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("EMP_OPERATIONS_URL", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        status = run(list(words))
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_new(Settings(data_dir=tmp_path).local_operations_url)
    yield made
    made.dispose()


@pytest.fixture
def kept(engine: sa.Engine) -> SqlBackfills:
    return SqlBackfills(engine)


def test_a_plan_counts_as_an_ingest_does_and_writes_nothing(emp: Emp, tmp_path: Path) -> None:
    status, out, _ = emp("backfill", "plan", "bars_1d", *ASKED, "--json")
    assert status == 0
    plan = json.loads(out)
    assert list(tmp_path.iterdir()) == []
    status, out, _ = emp("ingest", "--vendor", "sample_a", *ASKED[:2], *RANGE, "--dry-run",
                         "--json")  # fmt: skip
    dry = json.loads(out)
    assert plan["symbol_sessions"] == dry["lacking"] == 114
    assert plan["requests"]["sample_a"] == sum(len(q["symbols"]) for q in dry["requests"])
    assert (plan["runs"], plan["rows"], plan["complete"]) == (1, 228, 0)
    assert "quality/scores" in plan["downstream"]
    assert plan["refused"] == ""


def test_a_plan_for_a_person(emp: Emp) -> None:
    _, out, _ = emp("backfill", "plan", "raw/sample_a_bars_1d", "--symbols", "DEMO-BTC", *RANGE)
    assert "67 symbol-sessions need work" in out
    assert "requests: 1 of sample_a" in out
    assert "downstream: curated/bars_1d" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bars_1d"], "say a period"),
        (["bars_1d", "--start", "2024-01-02", "--days", "3"], "--days, or"),
        (["bars_9d", "--days", "3"], "no dataset that can be backfilled"),
        (["bars_1d", "--days", "3", "--symbols", "NOBODY"], "NOBODY"),
        (["bars_1d", "--start", "gibberish"], "--start"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(
    emp: Emp, words: list[str], told: str
) -> None:
    status, out, err = emp("backfill", "plan", *words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


def test_without_a_daemon_it_is_run_here_or_not_at_all(emp: Emp, kept: SqlBackfills) -> None:
    status, _, err = emp("backfill", "launch", "bars_1d", *ASKED)
    assert status == 1
    assert "--local" in err
    assert kept.newest() == []


def guarded(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """A configuration by which little is much."""
    config = folder / "config"
    config.mkdir()
    for file in Settings().config_dir.iterdir():
        (config / file.name).symlink_to(file)
    (config / "automation.yaml").unlink()
    (config / "automation.yaml").write_text("backfill: {guard_symbol_sessions: 100}\n")
    patch.setenv("EMP_CONFIG_DIR", str(config))


def test_a_large_one_is_refused_before_its_pilot(
    emp: Emp, kept: SqlBackfills, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(tmp_path, monkeypatch)
    status, _, err = emp("backfill", "launch", "bars_1d", *ASKED, "--local")
    assert status == 1
    assert "114 symbol-sessions are more than 100" in err
    assert kept.newest() == []


def test_a_pilot_counts_for_as_long_as_it_is_valid(
    emp: Emp, kept: SqlBackfills, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many backfills were launched since."""
    guarded(tmp_path, monkeypatch)
    now = datetime.now(UTC)
    request = BackfillRequest(
        "curated/bars_1d", ("DEMO-BTC",), NOW.date(), NOW.date(), ("sample_a",)
    )
    piece = replace(plan_of(1).pieces[0], first=date(2024, 3, 4), last=NOW.date())
    tried = replace(plan_of(1, pilot=True), request=request, pieces=(piece,))
    plan = ["backfill", "plan", "bars_1d", *ASKED, "--json"]
    assert "--pilot" in json.loads(emp(*plan)[1])["refused"]
    pilot = kept.add(tried, at=now - timedelta(days=1), author="me")
    kept.move(pilot, (BackfillState.RUNNING,), BackfillState.SUCCEEDED, now - timedelta(days=1))
    for _ in range(60):
        kept.add(plan_of(0), at=now, author="me")
    assert json.loads(emp(*plan)[1])["refused"] == ""


def test_what_is_driven_here_is_nobody_elses_before(
    emp: Emp, kept: SqlBackfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its driver has the turn of it, the daemon's sensor does not see it."""
    seen: list[tuple[int, str]] = []

    def drive(_: Driver, name: str, __: Stop) -> Backfill:
        seen.append((len(kept.live()), kept.get(name).state))
        return kept.get(name)

    monkeypatch.setattr(Driver, "drive", drive)
    assert emp("backfill", "launch", "bars_1d", *ASKED, "--local")[0] == 1
    name = kept.add(plan_of(1), at=NOW, author="me")
    kept.move(name, (BackfillState.RUNNING,), BackfillState.FAILED, NOW)
    assert emp("backfill", "retry-failed", name, "--local")[0] == 1
    assert seen == [(0, "paused")] * 2


def test_one_for_the_daemon_is_watched_and_keeps_to_its_window(
    emp: Emp, kept: SqlBackfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emp.backfill_launch.check_daemon", lambda _: None)

    def time_passes(_: float) -> None:
        (made,) = kept.live()
        assert made.plan.off_peak
        kept.move(made.id, (BackfillState.RUNNING,), BackfillState.SUCCEEDED, NOW)

    monkeypatch.setattr("emp.backfill_launch.time.sleep", time_passes)
    status, out, err = emp("backfill", "launch", "bars_1d", *ASKED, "--off-peak", "--watch")
    assert status == 0
    assert "its pieces begin between 22:00-06:00 America/New_York" in err
    assert [line.split(": ")[1].split(";")[0] for line in out.splitlines() if ": " in line] == [
        "running",
        "succeeded",
    ]


def test_one_that_waits_for_its_window_can_be_cancelled(emp: Emp, kept: SqlBackfills) -> None:
    name = kept.add(plan_of(1), at=NOW, author="me", state=BackfillState.WAITING)
    assert emp("backfill", "cancel", name)[1] == f"backfill {name} is cancelled\n"


def test_progress_is_listed_shown_and_watched(emp: Emp, kept: SqlBackfills) -> None:
    assert emp("backfill", "list")[1] == "no backfill was launched yet\n"
    name = kept.add(plan_of(2), at=NOW, author="me")
    kept.claim(name, 0, "a", NOW)
    kept.settle(name, 0, "a", PieceState.FAILED, at=NOW, reason="no answer")
    line = f"{name} curated/bars_1d: running; 0 of 100 symbol-sessions; pieces: 1 waiting, 1 failed"
    assert emp("backfill", "list")[1] == line + "\n"
    _, out, _ = emp("backfill", "status", name[:4])
    assert out.splitlines()[0] == line
    assert out.splitlines()[2] == "  1 x no answer"
    told = json.loads(emp("backfill", "status", name, "--json")[1])
    assert told["reasons"] == {"no answer": 1}
    assert [r["state"] for r in told["runs"]] == ["failed", "waiting"]
    kept.move(name, (BackfillState.RUNNING,), BackfillState.FAILED, NOW)
    status, out, _ = emp("backfill", "watch", name, "--json-lines")
    assert (status, json.loads(out)["state"]) == (1, "failed")
    assert emp("backfill", "status", "nothing")[0] == 1


def test_whoever_watches_one_with_which_nobody_goes_on_is_told(
    emp: Emp, kept: SqlBackfills, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def time_passes(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) % 16 == 0:
            kept.move(name, (BackfillState.RUNNING,), BackfillState.PAUSED, NOW)

    monkeypatch.setattr("emp.backfill_launch.time.sleep", time_passes)
    name = kept.add(plan_of(1), at=NOW, author="me")
    kept.claim(name, 0, "killed", NOW)
    told = emp("backfill", "watch", name)[2]
    assert (told.count("nobody goes on with it"), len(looks)) == (1, 16)
    assert f"'emp backfill launch {name} --local'" in told
    kept.move(name, (BackfillState.PAUSED,), BackfillState.RUNNING, NOW)
    with open_turns(Settings(data_dir=tmp_path), None).take(name, 0):
        assert emp("backfill", "watch", name)[2] == ""


def test_cancelling_ends_what_waits(emp: Emp, kept: SqlBackfills, tmp_path: Path) -> None:
    name = kept.add(plan_of(2), at=NOW, author="me")
    status, out, _ = emp("backfill", "cancel", name)
    assert (status, out) == (0, f"backfill {name} is cancelled\n")
    assert {p.state for p in kept.get(name).pieces} == {PieceState.CANCELLED}
    assert "is cancelled already" in emp("backfill", "cancel", name)[2]
    assert "is cancelled" in emp("backfill", "launch", name, "--local")[2]

    busy = kept.add(plan_of(2), at=NOW, author="me")
    kept.claim(busy, 0, "a", NOW)
    with open_turns(Settings(data_dir=tmp_path), None).take(busy, 0):
        _, out, _ = emp("backfill", "cancel", busy)
    assert out == f"backfill {busy} is cancelling; a piece is at work, and ends first\n"
    assert [str(p.state) for p in kept.get(busy).pieces] == ["claimed", "cancelled"]


def test_only_what_failed_is_retried(emp: Emp, kept: SqlBackfills) -> None:
    name = kept.add(plan_of(1), at=NOW, author="me")
    assert "is running" in emp("backfill", "retry-failed", name, "--local")[2]
    kept.move(name, (BackfillState.RUNNING,), BackfillState.FAILED, NOW)
    assert "retry-failed" in emp("backfill", "launch", name, "--local")[2]


def test_options_beside_an_id_are_refused(emp: Emp, kept: SqlBackfills) -> None:
    name = kept.add(plan_of(1), at=NOW, author="me")
    status, _, err = emp("backfill", "launch", name, "--days", "3", "--local")
    assert (status, "goes on as it was planned" in err) == (1, True)


def test_spans_and_sizes_for_a_person(kept: SqlBackfills) -> None:
    assert [span(s) for s in (9.6, 600, 9_000)] == ["10 s", "10 min", "2.5 h"]
    assert [size(n) for n in (900, 45_000_000, 3 * 10**9)] == ["1 kB", "45.0 MB", "3.0 GB"]
    name = kept.add(plan_of(2), at=NOW, author="me")
    assert seconds_left(kept.get(name), NOW) == pytest.approx(10.0)
