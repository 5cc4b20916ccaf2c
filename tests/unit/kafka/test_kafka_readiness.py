"""The grades of Kafka: each limit, each reason, on both of its sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from market_data.operations.grades import Grade
from market_data.operations.kafka_readiness import (
    KafkaLimits,
    KafkaState,
    evaluate_kafka_readiness,
)

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
WELL = KafkaState(
    at=NOW,
    brokers=3,
    publishers=1,
    topics_needed=("a", "b"),
    topics_there=("b", "a", "c"),
    group="bridge",
    lag=0,
)


def grade(state: KafkaState, **options: object) -> Grade:
    return evaluate_kafka_readiness(state, now=NOW, **options).grade


def test_all_well():
    found = evaluate_kafka_readiness(WELL, now=NOW)
    assert (found.grade, found.reasons, found.state) == (Grade.OK, (), WELL)


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        (999, Grade.OK),
        (1_000, Grade.WARN),
        (9_999, Grade.WARN),
        (10_000, Grade.FAIL),
    ],
)
def test_lag(lag, expected):
    assert grade(replace(WELL, lag=lag)) is expected
    # Requests for a refresh are the platform's own to take.
    asked = replace(WELL, requests_group="emp-refresh", requests_lag=lag)
    assert grade(asked) is expected
    codes = [r.code for r in evaluate_kafka_readiness(asked, now=NOW).reasons]
    assert codes == ([] if expected is Grade.OK else ["kafka_requests"])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(599, Grade.OK), (600, Grade.WARN), (1_799, Grade.WARN), (1_800, Grade.FAIL)],
)
def test_age_of_the_look_and_of_what_waits(seconds, expected):
    then = NOW - timedelta(seconds=seconds)
    assert grade(replace(WELL, at=then)) is expected
    assert grade(replace(WELL, waiting=3, oldest_waiting=then)) is expected


def test_limits_of_ones_own():
    limits = KafkaLimits(lag_warn=500, lag_fail=2_000)
    assert grade(replace(WELL, lag=999), limits=limits) is Grade.WARN
    assert grade(replace(WELL, lag=2_000), limits=limits) is Grade.FAIL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"error": "no broker listens at a:9092"}, "no broker listens at a:9092"),
        ({"brokers": 0}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"publishers": 0}, "nobody sends"),
        ({"topics_there": ("a",)}, "topics are missing: b"),
        ({"lost": 4}, "4 messages were removed"),
        ({"stranded": 1}, "beyond the end of 1 partition"),
        ({"requests_lost": 2}, "2 requests were removed"),
    ],
)
def test_each_fault_fails_with_its_reason(change, said):
    found = evaluate_kafka_readiness(replace(WELL, **change), now=NOW)
    assert found.grade is Grade.FAIL
    assert [said in r.text for r in found.reasons] == [True]


def test_a_broker_that_is_away_hides_what_could_not_be_seen_but_not_what_waits():
    away = replace(
        WELL,
        error="away",
        brokers=0,
        topics_there=(),
        waiting=5,
        oldest_waiting=NOW - timedelta(seconds=700),
    )
    found = evaluate_kafka_readiness(away, now=NOW)
    assert [r.grade for r in found.reasons] == [Grade.WARN, Grade.FAIL]
    assert "oldest of 5 unsent events is 700 s old" in found.reasons[0].text


def test_a_group_that_nobody_reads_with_is_not_behind():
    assert grade(replace(WELL, group="", lag=50_000)) is Grade.OK


def test_without_streaming_nothing_is_wrong():
    off = KafkaState(at=NOW, streaming=False)
    assert grade(off) is Grade.OK
