"""The states of an alert: messages alternate, nothing is lost, late looks change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.alerts import (
    Alert,
    AlertRules,
    Message,
    Phase,
    Severity,
    Sighting,
    Silence,
    State,
    observe,
    tell,
)
from tests.support.alert_rows import START, bad, console, good, minutes, rules


@dataclass
class House:
    """What an installation keeps between two evaluations."""

    rules: AlertRules
    silences: list[Silence] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)
    told_at: dict[tuple[str, State, str], datetime] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)

    def evaluate(self, sightings: Iterable[Sighting], now: datetime) -> list[Message]:
        self.alerts |= observe(self.alerts, sightings, self.rules)
        live = {k: a for k, a in self.alerts.items() if a.phase is not Phase.CLOSED}
        told = tell(live, now, self.rules, silences=self.silences, told_at=self.told_at)
        self.alerts |= told.alerts
        self.told_at |= told.told_at
        self.sent += told.messages
        return told.messages


def states(messages: Sequence[Message]) -> list[str]:
    return [str(m.state) for m in messages]


def test_one_message_when_it_breaks_one_when_it_is_mended_none_between():
    house = House(rules())
    for minute, seen in enumerate([bad, bad, bad, good, good, good]):
        house.evaluate([seen(minutes(minute))], minutes(minute))
    assert states(house.sent) == ["opened", "recovered"]
    opened, recovered = house.sent
    assert recovered.body["openings"] == recovered.body["resolved"] == [opened.id]


def test_what_was_always_well_is_not_told():
    house = House(rules())
    assert house.evaluate([good(START)], START) == []
    assert house.alerts == {}


def test_the_same_looks_again_change_nothing():
    house = House(rules())
    looks = [bad(minutes(0)), good(minutes(5))]
    house.evaluate(looks[:1], minutes(1))
    house.evaluate(looks[1:], minutes(6))
    before = dict(house.alerts)
    assert house.evaluate(looks, minutes(9)) == []
    assert {k: a.phase for k, a in house.alerts.items()} == {k: a.phase for k, a in before.items()}


def test_a_late_look_at_what_was_mended_since_opens_nothing():
    house = House(rules())
    house.evaluate([bad(minutes(0))], minutes(0))
    house.evaluate([good(minutes(10))], minutes(10))
    assert house.evaluate([bad(minutes(5))], minutes(11)) == []


def test_ten_thousand_findings_are_one_message():
    house = House(rules())
    first = date(2000, 1, 1)
    looks = [
        bad(START, f"check|{n}", sessions=(first + timedelta(n), first + timedelta(n)))
        for n in range(10_000)
    ]
    (message,) = house.evaluate(looks, START)
    assert message.body["alerts_total"] == 10_000
    assert len(message.to_json()) < 20_000
    assert "10000 alerts" in message.title
    (recovered,) = house.evaluate([good(minutes(1), s.fingerprint) for s in looks], minutes(1))
    assert recovered.body["alerts_total"] == 10_000
    assert recovered.body["resolved"] == [message.id]


def test_a_part_that_is_mended_is_told_and_the_opening_stays_open():
    house = House(rules())
    (opened,) = house.evaluate([bad(START, "a"), bad(START, "b")], START)
    (part,) = house.evaluate([good(minutes(1), "a")], minutes(1))
    assert part.body["openings"] == [opened.id]
    assert part.body["resolved"] == []
    assert "still open" in part.text
    (rest,) = house.evaluate([good(minutes(2), "b")], minutes(2))
    assert rest.body["resolved"] == [opened.id]


def test_late_data_may_mend_itself_before_anybody_is_told():
    young = {"sessions": (START.date(), START.date())}
    house = House(rules(late_data={"coverage": "15m"}))
    assert house.evaluate([bad(START, **young)], minutes(0)) == []
    assert house.evaluate([good(minutes(10))], minutes(10)) == []
    assert house.evaluate([], minutes(60)) == []
    # Bad again, and for longer than that: time alone tells it.
    assert house.evaluate([bad(minutes(70), **young)], minutes(70)) == []
    assert house.evaluate([], minutes(84)) == []
    assert states(house.evaluate([], minutes(85))) == ["opened"]


def test_an_old_session_is_told_at_once():
    old = (date(2023, 5, 5), date(2023, 5, 5))
    house = House(rules(late_data={"coverage": "15m"}))
    assert len(house.evaluate([bad(START, sessions=old)], START)) == 1


def test_messages_about_one_group_are_collected():
    house = House(rules(collect="5m"))
    assert len(house.evaluate([bad(minutes(0), "a")], minutes(0))) == 1
    assert house.evaluate([bad(minutes(1), "b")], minutes(1)) == []
    # Another group waits for nobody.
    assert len(house.evaluate([bad(minutes(1), "x", group="raw/x")], minutes(1))) == 1
    assert house.evaluate([bad(minutes(2), "c")], minutes(2)) == []
    (message,) = house.evaluate([], minutes(5))
    assert {a["key"] for a in message.body["alerts"]} == {"b", "c"}


def test_a_flap_within_the_pause_is_told_to_nobody():
    house = House(rules(collect="5m"))
    house.evaluate([bad(minutes(0))], minutes(0))
    assert states(house.evaluate([good(minutes(1))], minutes(1))) == ["recovered"]
    assert house.evaluate([bad(minutes(2))], minutes(2)) == []
    assert house.evaluate([good(minutes(3))], minutes(3)) == []
    assert house.evaluate([], minutes(30)) == []


def test_a_trouble_that_gets_worse_reaches_those_who_are_told_of_errors_alone():
    house = House(rules(console("all"), console("pager", severities=["error"])))
    warned = house.evaluate([bad(START, severity=Severity.WARN)], START)
    assert [m.route for m in warned] == ["all"]
    worse = house.evaluate([bad(minutes(1), severity=Severity.ERROR)], minutes(1))
    assert {m.route: str(m.state) for m in worse} == {"all": "escalated", "pager": "opened"}
    over = house.evaluate([good(minutes(2))], minutes(2))
    assert {(m.route, str(m.state)) for m in over} == {("all", "recovered"), ("pager", "recovered")}


def test_a_rise_to_an_error_is_told_once_and_neither_a_fall_nor_a_count():
    house = House(rules())
    warn, error = {"severity": Severity.WARN}, {"severity": Severity.ERROR}
    many = {"symbols": ("AAPL",) * 50, "symbol_count": 500}
    (opened,) = house.evaluate([bad(START, **warn)], START)
    assert house.evaluate([bad(minutes(1), **warn, **many)], minutes(1)) == []
    (worse,) = house.evaluate([bad(minutes(2), **error, **many)], minutes(2))
    assert (str(worse.state), str(worse.severity), str(worse.level)) == (
        "escalated",
        "error",
        "SEV-2",
    )
    assert worse.title.startswith("[SEV-2] worse: ")
    assert (worse.body["openings"], worse.body["resolved"]) == ([opened.id], [])
    assert worse.body["symbols"] == 500
    for minute, severity in enumerate((error, warn, error, warn), 3):
        assert house.evaluate([bad(minutes(minute), **severity)], minutes(minute)) == []
    (over,) = house.evaluate([good(minutes(8))], minutes(8))
    assert (over.body["openings"], over.body["resolved"]) == ([opened.id], [opened.id])
    assert over.body["severity"] == "error"
    # After its end it may rise again.
    again = [bad(minutes(9), **warn), bad(minutes(10), **error)]
    told = [m for seen in again for m in house.evaluate([seen], seen.at)]
    assert states(told) == ["opened", "escalated"]


def test_an_alert_that_rises_before_anybody_was_told_is_told_once():
    house = House(rules(late_data={"coverage": "15m"}))
    young = {"sessions": (START.date(), START.date())}
    house.evaluate([bad(START, severity=Severity.WARN, **young)], START)
    house.evaluate([bad(minutes(1), severity=Severity.ERROR, **young)], minutes(1))
    assert states(house.evaluate([], minutes(20))) == ["opened"]


def test_rises_are_collected_and_held_back_by_a_silence():
    house = House(rules(collect="5m"))
    names = ("a", "b")
    house.evaluate([bad(START, name, severity=Severity.WARN) for name in names], START)
    assert states(house.evaluate([bad(minutes(1), "a")], minutes(1))) == ["escalated"]
    assert house.evaluate([bad(minutes(2), "b")], minutes(2)) == []
    house.silences.append(Silence(1, "*", minutes(30), "ann", "maintenance"))
    assert house.evaluate([], minutes(10)) == []
    (late,) = house.evaluate([], minutes(30))
    assert [a["key"] for a in late.body["alerts"]] == ["b"]


def test_a_recovery_names_what_its_route_was_told_of():
    house = House(rules(console("all"), console("pager", severities=["error"])))
    one = {"symbols": ("AAPL",), "symbol_count": 1, "severity": Severity.WARN}
    two = {"symbols": ("AAPL", "MSFT"), "symbol_count": 2, "detail": "MSFT too"}
    three = {"symbols": ("AAPL", "MSFT", "SPY"), "symbol_count": 3}
    house.evaluate([bad(START, **one)], START)
    for minute, seen in enumerate((two, three), 1):
        house.evaluate([bad(minutes(minute), **seen)], minutes(minute))
    over = {m.route: m.body for m in house.evaluate([good(minutes(3))], minutes(3))}
    # It was told of the second as well: the warning had become an error.
    assert over["all"]["alerts"][0]["symbols"] == ["AAPL", "MSFT"]
    assert (over["all"]["severity"], over["all"]["symbols"]) == ("error", 2)
    assert over["pager"]["alerts"][0]["symbols"] == ["AAPL", "MSFT"]
    assert all("SPY" not in str(body) for body in over.values())
    again = house.evaluate([bad(minutes(4), **three)], minutes(4))
    assert {m.body["symbols"] for m in again} == {3}


@pytest.mark.parametrize("pattern", ["check|a", "curated/*", "check|*"])
def test_a_silence_delays_and_loses_nothing(pattern: str):
    house = House(rules())
    house.silences.append(Silence(1, pattern, minutes(60), "ann", "maintenance"))
    assert house.evaluate([bad(minutes(0))], minutes(0)) == []
    assert states(house.evaluate([], minutes(60))) == ["opened"]


def test_what_was_mended_in_a_silence_is_never_told():
    house = House(rules())
    house.silences.append(Silence(1, "*", minutes(60), "ann", "maintenance"))
    house.evaluate([bad(minutes(0))], minutes(0))
    house.evaluate([good(minutes(30))], minutes(30))
    assert house.evaluate([], minutes(90)) == []


def test_a_silence_holds_no_recovery_back():
    house = House(rules())
    house.evaluate([bad(minutes(0))], minutes(0))
    house.silences.append(Silence(1, "*", minutes(60), "ann", "maintenance"))
    assert states(house.evaluate([good(minutes(1))], minutes(1))) == ["recovered"]


def test_routes_by_kind_group_and_owner():
    house = House(
        rules(
            console("curated", groups=["curated"]),
            console("raw", groups=["raw/yahoo_*"]),
            console("runs", kinds=["run"]),
            console("others", owners=["ann@example.com"]),
        )
    )
    assert [m.route for m in house.evaluate([bad(START)], START)] == ["curated"]
    other = {"asset": "raw/yahoo_bars_1d", "asset_group": "raw", "owners": ("ann@example.com",)}
    sent = house.evaluate([bad(START, "check|b", **other)], START)
    assert [m.route for m in sent] == ["raw", "others"]


def test_a_route_that_wants_no_recovery_gets_none_and_hears_of_the_next_break():
    house = House(rules(console("all", recovered=False)))
    for minute, seen in enumerate([bad, good, bad]):
        house.evaluate([seen(minutes(minute))], minutes(minute))
    assert states(house.sent) == ["opened", "opened"]


def test_a_route_that_is_off_for_a_while_hears_of_the_mending_when_it_is_back():
    house = House(rules(console("all"), console("pager")))
    house.evaluate([bad(START)], START)
    house.rules = rules(console("all"))
    assert [m.route for m in house.evaluate([good(minutes(1))], minutes(1))] == ["all"]
    house.rules = rules(console("all"), console("pager"))
    (late,) = house.evaluate([], minutes(2))
    assert (late.route, str(late.state)) == ("pager", "recovered")
    assert house.alerts["check|a"].phase is Phase.CLOSED


def test_nothing_waits_for_ever_for_a_route_that_was_taken_out():
    house = House(rules(console("all"), console("gone")))
    house.evaluate([bad(START)], START)
    house.rules = rules(console("all"))
    house.evaluate([good(minutes(1))], minutes(1))
    assert house.alerts["check|a"].phase is Phase.MENDED
    house.evaluate([], START + timedelta(days=31))
    assert house.alerts["check|a"].phase is Phase.CLOSED


looks = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from([0, 1, 7, 40])), max_size=40
)


@settings(max_examples=300, deadline=None)
@given(looks, st.sampled_from(["0s", "5m"]), st.sampled_from(["0s", "15m"]), st.booleans())
def test_whatever_happens_messages_alternate_and_the_last_word_is_true(
    history: list[tuple[bool, int, int]], collect: str, wait: str, warn_first: bool
):
    """Of every thing, for every route: opened, recovered, opened ..., with one escalation between
    them at most; and after enough time the last message says how the thing is."""
    house = House(
        rules(
            console("all"),
            console("errors", severities=["error"]),
            collect=collect,
            late_data={"coverage": wait},
        )
    )
    now, truth = START, {}
    for place, (is_bad, thing, pause) in enumerate(history):
        now += timedelta(minutes=pause, seconds=1)
        name = f"check|{thing}"
        severity = Severity.WARN if warn_first and place % 2 else Severity.ERROR
        young = (now.date(), now.date())
        seen = bad(now, name, severity=severity, sessions=young) if is_bad else good(now, name)
        truth[name] = is_bad
        house.evaluate([seen], now)
    for _ in range(3):
        now += timedelta(hours=1)
        house.evaluate([], now)
    heard: dict[tuple[str, str], list[str]] = {}
    for message in house.sent:
        for alert in message.body["alerts"]:
            heard.setdefault((message.route, alert["key"]), []).append(str(message.state))
    for names, worse in heard.items():
        text = " ".join(worse)
        assert "escalated escalated" not in text
        assert "recovered escalated" not in text
        assert "escalated" not in worse[:1]
        told = heard[names] = [state for state in worse if state != "escalated"]
        assert told == ["opened", "recovered"] * (len(told) // 2) + ["opened"] * (len(told) % 2)
    for name, is_bad in truth.items():
        told = heard.get(("all", name), [])
        assert (told[-1:] == ["opened"]) == is_bad, (name, told)
    assert len({m.id for m in house.sent}) == len(house.sent)
