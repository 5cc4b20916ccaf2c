"""What the steps of the pipeline tell, and that it is kept together with what it tells of."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.operations import SqlLedger, SqlOutbox, open_database
from market_data.errors import VendorUnavailableError
from market_data.pipeline import telemetry
from market_data.pipeline.score import score_range
from market_data.ports import Outcome, SymbolOutcome
from market_data.ports.event_results import IngestedSlice, IngestHealth, IngestMetrics
from market_data.ports.events import Event
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Heard(World):
    """A world somebody listens to."""

    @property
    def outbox(self) -> SqlOutbox:
        return SqlOutbox(open_database(self.settings.local_operations_url))

    def events(self) -> list[Event]:
        return [Event.from_json(p.body) for p in self.outbox.pending(1_000)]

    def results(self, kind: type) -> list:
        return [e.result for e in self.events() if isinstance(e.result, kind)]


@pytest.fixture
def world(tmp_path: Path) -> Heard:
    world = Heard.at(tmp_path, NOW)
    shares(world)
    engine = open_database(world.settings.local_operations_url)
    outbox = SqlOutbox(engine)
    # A cached property: what is put here is what the world uses.
    world.__dict__["platform"] = replace(
        world.platform, ledger=SqlLedger(engine, outbox), events=outbox
    )
    return world


def test_a_question_is_one_event_of_the_slice(world: Heard):
    vendor = FakeVendor(
        bars={"AAA": [utc("2024-03-04"), utc("2024-03-05")]},
        outcomes={"BBB": SymbolOutcome(Outcome.UNAVAILABLE, "never heard of it")},
    )
    ask(world, vendor, "2024-03-04", "2024-03-05", "AAA", "BBB")
    (run,) = world.platform.journal.runs()
    (told,) = world.results(IngestedSlice)
    assert told == IngestedSlice(
        vendor="yahoo",
        dataset="raw/yahoo_bars_1d",
        timeframe=run.timeframe,
        symbols=("AAA", "BBB"),
        sessions=(date(2024, 3, 4), date(2024, 3, 5)),
        rows={"AAA": 2},
        outcomes={"AAA": "rows", "BBB": "unavailable"},
        new_rows=2,
        revised_rows=0,
        rejected_rows=0,
        fetch_id=run.fetch_id,
        run_id="",
    )
    event = world.events()[0]
    assert (event.event_id, event.key) == (f"{run.fetch_id}.1", "AAA")
    assert event.metadata["status"] == "ok"


def test_what_is_known_is_not_told_again(world: Heard):
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-04")]})
    ask(world, vendor, "2024-03-04", "2024-03-04")
    before = len(world.events())
    ask(world, vendor, "2024-03-04", "2024-03-04")
    assert len(world.events()) == before == 3


@pytest.mark.parametrize("step", ["ledger", "events"])
def test_ledger_and_event_are_there_together_or_not_at_all(world: Heard, monkeypatch, step):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the process dies here")

    if step == "ledger":
        monkeypatch.setattr("adapters.operations.ledger._merge", fail)
    else:
        monkeypatch.setattr(SqlOutbox, "add", staticmethod(fail))
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-04")]})
    with pytest.raises(RuntimeError):
        ask(world, vendor, "2024-03-04", "2024-03-04")
    assert world.platform.ledger.read().is_empty()
    assert world.events() == []
    monkeypatch.undo()
    ask(world, vendor, "2024-03-04", "2024-03-04")
    assert world.platform.ledger.read().height == 1
    assert len(world.results(IngestedSlice)) == 1


def test_without_listeners_nothing_is_kept(tmp_path: Path):
    world = Heard.at(tmp_path, NOW)
    shares(world)
    ask(world, FakeVendor(bars={"AAA": [utc("2024-03-04")]}), "2024-03-04", "2024-03-04")
    assert world.platform.ledger.read().height == 1
    assert world.events() == []


def test_health_says_which_symbols_are_missing_and_why_without_secrets(world: Heard):
    trouble = SymbolOutcome(Outcome.REFUSED, "GET https://h/q?apikey=s3cret answered 403")
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-04")]}, outcomes={"BBB": trouble})
    ask(world, vendor, "2024-03-04", "2024-03-04", "AAA", "BBB")
    (health,) = world.results(IngestHealth)
    assert (health.status, health.missing) == ("warn", ("BBB",))
    assert health.reasons == ("BBB: GET https://h/q?apikey=*** answered 403",)
    assert all("s3cret" not in e.to_json() for e in world.events())


def test_an_outage_fails_and_its_text_is_clean(world: Heard):
    span = (utc("2024-01-01"), utc("2025-01-01"))
    error = VendorUnavailableError("https://user:s3cret@host timed out")
    ask(world, FakeVendor(errors={span: error}), "2024-03-04", "2024-03-04")
    (health,) = world.results(IngestHealth)
    (slice_,) = world.results(IngestedSlice)
    assert (health.status, health.missing) == ("fail", ("AAA",))
    assert "timed out" in slice_.error
    assert all("s3cret" not in e.to_json() for e in world.events())


def test_numbers_of_an_ingest(world: Heard):
    ask(world, FakeVendor(bars={"AAA": [utc("2024-03-04")]}), "2024-03-04", "2024-03-06")
    (metrics,) = world.results(IngestMetrics)
    assert metrics.figures["questions"] == 1
    assert metrics.figures["rows"] == metrics.figures["new_rows"] == 1
    assert metrics.figures["symbols_with_rows"] == metrics.figures["symbols"] == 1


def test_many_symbols_are_told_in_portions(world: Heard, monkeypatch):
    monkeypatch.setattr(telemetry, "SYMBOLS_PER_EVENT", 1)
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-04")], "BBB": [utc("2024-03-04")]})
    ask(world, vendor, "2024-03-04", "2024-03-04", "AAA", "BBB")
    told = world.results(IngestedSlice)
    assert [t.symbols for t in told] == [("AAA",), ("BBB",)]
    assert [t.rows for t in told] == [{"AAA": 1}, {"BBB": 1}]
    assert len({e.event_id for e in world.events()}) == len(world.events()) == 5


def test_scores_are_told_per_dataset(world: Heard):
    days = ["2024-03-04", "2024-03-05"]
    ask(world, FakeVendor(bars={"AAA": [utc(d) for d in days]}), *days)
    world.curate("1d", "AAA", *days)
    scores = score_range(world.platform, ["AAA"], *(date.fromisoformat(d) for d in days))
    told = {e.result.dataset: e.result for e in world.events() if e.dimension == "quality"}
    assert set(told) == set(scores["dataset"])
    daily = told["curated/bars_1d"]
    assert daily.sessions == (date(2024, 3, 4), date(2024, 3, 5))
    assert daily.statuses == Counter(scores.filter(dataset="curated/bars_1d")["status"])
    assert daily.figures["score_min"] == scores.filter(dataset="curated/bars_1d")["score"].min()
    assert daily.figures["drift_max"] is None
