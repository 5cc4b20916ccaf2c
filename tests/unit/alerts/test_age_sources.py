"""Bars that end too early: what breaks together is one alert, and what breaks later another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from market_data.alerts import Alert, Phase, Severity, observe, tell
from market_data.alerts.age_sources import current_symbols, late_symbols, sightings_of_ages
from market_data.alerts.facts import AgeFact
from tests.support.alert_rows import START, console, minutes, rules, trouble

ASSET = "curated/bars_1d"
FIRST = date(2024, 2, 5)
RULES = rules(console("log"), collect="5m")
MANY = tuple(f"S{number:03}" for number in range(120))


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


class World:
    """Days on which bars of some symbols come, and what is told on each."""

    def __init__(self, symbols: Iterable[str], alerts: Mapping[str, Alert] | None = None) -> None:
        self.newest = dict.fromkeys(symbols, FIRST)
        self.watched = set(self.newest)
        self.late: dict[str, str] = {}
        self.alerts = dict(alerts or {})
        self.told_at = {}

    def on(self, number: int, *behind: str, **reach: int) -> list[tuple[str, tuple[str, ...]]]:
        """Bars of a day come but of those behind, and of others as far as is said."""
        for symbol in self.newest:
            if symbol not in behind:
                self.newest[symbol] = day(reach.get(symbol, number))
        due = dict.fromkeys(self.newest, day(number))
        fact = AgeFact(ASSET, dict(self.newest), due, due)
        now = START + timedelta(days=number)
        live = {n: a for n, a in self.alerts.items() if a.phase is not Phase.CLOSED}
        self.late = late_symbols(fact, self.watched, self.late, live)
        looks = sightings_of_ages([fact], {ASSET: self.watched}, {ASSET: self.late}, live, now)
        self.alerts |= observe(live, looks, RULES)
        told = tell(self.alerts, now, RULES, told_at=self.told_at)
        self.told_at |= told.told_at
        self.alerts |= told.alerts
        return [
            (str(m.state), tuple(name for a in m.body["alerts"] for name in a["symbols"]))
            for m in told.messages
        ]


def test_a_symbol_that_is_gone_keeps_nobody_from_hearing_that_all_are():
    world = World(["A", "B", "C"])
    assert world.on(0) == []
    assert world.on(1, "A") == [("opened", ("A",))]
    assert [world.on(number, "A") for number in range(2, 11)] == [[]] * 9
    assert world.on(11, "A", "B", "C") == [("opened", ("B", "C"))]
    assert [world.on(number, "A", "B", "C") for number in range(12, 20)] == [[]] * 8
    assert world.on(20, "A") == [("recovered", ("B", "C"))]
    assert world.on(21, "A") == []
    assert world.on(22, "A", "B") == [("opened", ("B",))]
    assert world.on(23) == [("recovered", ("A", "B"))]
    assert world.on(24) == []


def test_what_comes_further_and_is_still_late_is_no_news():
    world = World(MANY)
    ((state, named),) = world.on(1, *MANY)
    assert (state, len(named)) == ("opened", 50)
    for number in range(2, 12):
        assert world.on(number, **dict.fromkeys(MANY, number - 1)) == []
    assert [state for state, _ in world.on(12)] == ["recovered"]


def test_what_was_remembered_may_be_lost_without_a_word():
    world = World(MANY)
    world.on(1, *MANY)
    for number in range(2, 5):
        world.late = {}
        assert world.on(number, *MANY) == []
    world.late = {}
    assert world.on(5, *MANY[:60]) == []
    world.late = {}
    ((state, named),) = world.on(6, *MANY[:60], *MANY[100:])
    assert (state, named) == ("opened", MANY[100:])


def test_an_alert_without_a_session_goes_on():
    """As those were that told of a dataset whatever broke when."""
    known = {"symbols": ("A",), "symbol_count": 1, "group": ASSET, "asset": ASSET}
    old = trouble(**known, sessions=None)
    name = f"stale|{ASSET}"
    told = Alert(name, old, Phase.OPEN, START, START, START, told={"log": "m1"})
    world = World(["A", "B"], {name: told})
    world.newest["A"] = day(-9)
    assert world.on(1, "A") == []
    assert world.on(2, "A", "B") == [("opened", ("B",))]
    assert world.on(3, "B") == [("recovered", ("A",))]
    assert world.alerts[name].phase is Phase.CLOSED


def test_what_was_never_current_cannot_become_stale():
    today = START.date()
    fact = AgeFact(
        ASSET,
        newest={"OLD": date(2015, 1, 2), "NEW": today},
        due_warn={"OLD": today, "NEW": today},
        due_error={"OLD": today, "NEW": today},
    )
    watched = {ASSET: current_symbols(fact)}
    assert watched == {ASSET: {"NEW"}}
    assert late_symbols(fact, watched[ASSET], {}, {}) == {}
    tomorrow = today + timedelta(days=1)
    due = {"OLD": tomorrow, "NEW": tomorrow}
    behind = replace(fact, due_warn=due)
    late = {ASSET: late_symbols(behind, watched[ASSET], {}, {})}
    (seen,) = sightings_of_ages([behind], watched, late, {}, START)
    assert seen.fingerprint == f"stale|{ASSET}|{tomorrow}"
    assert seen.trouble is not None
    assert seen.trouble.severity is Severity.WARN
    assert seen.trouble.symbols == ("NEW",)
    assert seen.trouble.detail.startswith("1 of 1 symbols lack bars that are due; NEW ends with")
    worse = replace(behind, due_error=due)
    (worst,) = sightings_of_ages([worse], watched, late, {}, START)
    assert worst.trouble is not None
    assert worst.trouble.severity is Severity.ERROR
    assert list(sightings_of_ages([behind], {}, {}, {}, START)) == []
    # Nobody watches it any more: what was told of it is over.
    alerts = observe({}, [worst], rules())
    (over,) = sightings_of_ages([behind], {}, {}, alerts, minutes(1))
    assert (over.fingerprint, over.trouble) == (worst.fingerprint, None)
