"""Cache, Kafka and latencies: what opens an alert, what mends it, and what a blind look leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from market_data.alerts import Alert, Kind, Severity, observe
from market_data.alerts.part_sources import sightings_of_parts
from market_data.operations.cache_health import cache_away, evaluate_cache_health
from market_data.operations.grades import Grade, Reason
from market_data.operations.kafka_readiness import KafkaState, evaluate_kafka_readiness
from market_data.operations.limits import CacheLimits
from market_data.operations.readiness import Section
from market_data.ports.cache import CacheMetrics
from tests.support.alert_rows import START, minutes, rules

FINE = KafkaState(at=START, brokers=1, publishers=1, group="g")
BUSY = CacheMetrics(hits=1, misses=30, evictions=4)


def kafka(**changes: object) -> Section:
    state = replace(FINE, **changes)  # type: ignore[arg-type]
    return Section.of("kafka", evaluate_kafka_readiness(state, now=START).reasons)


def live(*sections: Section) -> dict[str, Alert]:
    return observe({}, sightings_of_parts(sections, {}, START), rules())


def mended(alerts: Mapping[str, Alert], *sections: Section, answering: tuple[str, ...] = ()):
    found = sightings_of_parts(sections, alerts, minutes(5), answering=answering)
    return {s.fingerprint for s in found if s.trouble is None}


def test_lag_opens_by_its_limits_and_is_mended_when_it_is_made_up_for():
    assert live(kafka(lag=999)) == {}
    (warned,) = live(kafka(lag=1_000)).values()
    assert warned.fingerprint == "kafka|kafka_lag"
    trouble = warned.trouble
    assert (trouble.kind, trouble.severity) == (Kind.KAFKA, Severity.WARN)
    assert (trouble.title, trouble.runbook) == ("kafka: kafka lag", "kafka-lag#kafka_lag")
    assert "group g is 1000 messages behind" in trouble.detail
    (failed,) = live(kafka(lag=10_000)).values()
    assert failed.trouble.severity is Severity.ERROR
    assert mended({failed.fingerprint: failed}, kafka(lag=2_000)) == set()
    assert mended({failed.fingerprint: failed}, kafka()) == {"kafka|kafka_lag"}


def test_what_cannot_be_seen_is_not_mended():
    alerts = live(kafka(lag=10_000, lost=3))
    assert set(alerts) == {"kafka|kafka_lag", "kafka|kafka_lost"}
    away = kafka(error="127.0.0.1:1 does not answer")
    assert mended(alerts, away) == set()
    assert set(live(away)) == {"kafka|kafka_unreachable"}
    blind = Section.of("kafka", [Reason(Grade.FAIL, "the look at it failed with KeyError")])
    assert mended(alerts, blind) == set()
    assert next(iter(live(blind).values())).trouble.runbook == "kafka-lag"
    assert mended({**alerts, **live(away)}, kafka()) == {*alerts, "kafka|kafka_unreachable"}


def test_findings_of_one_part_say_nothing_of_another():
    alerts = live(kafka(lag=10_000), evaluate_cache_health(BUSY))
    assert set(alerts) == {"kafka|kafka_lag", "cache|few_hits", "cache|evictions"}
    assert mended(alerts, evaluate_cache_health(CacheMetrics(hits=9, misses=1))) == {
        "cache|few_hits",
        "cache|evictions",
    }


def test_a_cache_that_only_answers_is_back_and_nothing_else():
    alerts = live(evaluate_cache_health(BUSY)) | live(cache_away("no answer"))
    assert mended(alerts, answering=("cache",)) == {"cache|cache_unreachable"}


def test_what_was_wrong_with_a_part_that_is_switched_off_is_wrong_no_more():
    alerts = live(kafka(lag=10_000, error="no answer"), evaluate_cache_health(BUSY))
    off = [Section.switched_off(part, "without it") for part in ("kafka", "cache")]
    assert mended(alerts, *off) == set(alerts) != set()
    assert live(*off) == {}


def test_latencies_are_told_by_dimension():
    def slow(*dimensions: str) -> Section:
        return Section.of(
            "latency", [Reason(Grade.WARN, "slow", "slow_fetch", d) for d in dimensions]
        )

    alerts = live(slow("daily_bars", "intraday_bars"))
    assert set(alerts) == {"latency|slow_fetch|daily_bars", "latency|slow_fetch|intraday_bars"}
    assert mended(alerts, slow("daily_bars")) == {"latency|slow_fetch|intraday_bars"}
    trouble = alerts["latency|slow_fetch|daily_bars"].trouble
    assert (trouble.title, trouble.runbook) == (
        "latency: slow fetch of daily_bars",
        "latency#slow_fetch",
    )


def test_the_cache_is_judged_by_what_it_did_since_an_earlier_look():
    """300 hits of long ago must not hide that nothing is answered now, nor the other way."""
    before = CacheMetrics(hits=300, misses=10, evictions=7, keys=3)
    now = CacheMetrics(hits=300, misses=40, evictions=7, keys=5, bytes=9)
    assert now.since(before) == CacheMetrics(misses=30, keys=5, bytes=9)
    assert [r.code for r in evaluate_cache_health(now.since(before)).reasons] == ["few_hits"]
    # The numbers began anew: all of them count.
    again = CacheMetrics(hits=2, misses=1)
    assert again.since(before) == again


@pytest.mark.parametrize(
    ("hits", "misses", "grade"),
    [(1, 4, Grade.OK), (1, 5, Grade.WARN), (1, 19, Grade.WARN), (1, 20, Grade.FAIL),
     (25, 75, Grade.OK)],
)  # fmt: skip
def test_the_limits_of_the_documents_both_reachable(hits: int, misses: int, grade: Grade):
    assert evaluate_cache_health(CacheMetrics(hits=hits, misses=misses)).grade is grade


def test_the_limits_can_be_changed():
    strict = CacheLimits(warn_ratio=0.5, warn_misses=1)
    found = evaluate_cache_health(CacheMetrics(hits=4, misses=6), strict).reasons
    assert [(r.code, r.value, r.limit) for r in found] == [("few_hits", 0.4, 0.5)]
