"""Readiness of Kafka: from what was seen of it to a grade with reasons.

What belongs here: limits, the verdict. What does not: looking (adapters/kafka/factory.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from market_data.operations.grades import Grade, Reason, worst

_RUNBOOK = "docs/runbooks/kafka-offset-recovery.md"


@dataclass(frozen=True)
class KafkaLimits:
    """Where a warning and where a failure begins, both included.

    Attributes:
        lag_warn: messages by which a consumer group is behind: the readers of events, or the
            platform's own, which takes requests for a refresh.
        lag_fail: the same, for a failure.
        stale_warn_seconds: age of the oldest event that waits, or of the observation.
        stale_fail_seconds: the same, for a failure.
    """

    lag_warn: int = 1_000
    lag_fail: int = 10_000
    stale_warn_seconds: float = 600
    stale_fail_seconds: float = 1_800


@dataclass(frozen=True)
class KafkaState:
    """What was seen of Kafka at one moment.

    Attributes:
        at: the moment, aware.
        streaming: whether events are meant to be sent.
        error: why no broker could be reached; empty where one was.
        brokers: how many there are.
        publishers: 1 where a process or a sensor has lately sent what waits, or looked for it.
        topics_needed: that the platform writes to.
        topics_there: that the brokers have.
        waiting: events that were not sent yet.
        oldest_waiting: when the oldest of these arose, aware; None where none waits.
        group: the consumer group that reads events; empty where none does.
        lag: messages that it has not handled.
        lost: messages that were removed before it handled them.
        stranded: partitions in which its offset lies beyond the end.
        requests_group: the platform's own consumer group, which takes requests for a refresh; empty
            where there is no topic for them. A place beyond the end it mends itself.
        requests_lag: requests that it has not taken.
        requests_lost: requests that were removed before it took them.
    """

    at: datetime
    streaming: bool = True
    error: str = ""
    brokers: int = 0
    publishers: int = 0
    topics_needed: Sequence[str] = ()
    topics_there: Sequence[str] = ()
    waiting: int = 0
    oldest_waiting: datetime | None = None
    group: str = ""
    lag: int = 0
    lost: int = 0
    stranded: int = 0
    requests_group: str = ""
    requests_lag: int = 0
    requests_lost: int = 0


@dataclass(frozen=True)
class KafkaReadiness:
    """The verdict: a grade and every reason for it; "ok" with no reason where all is well."""

    grade: Grade
    reasons: tuple[Reason, ...]
    state: KafkaState


def evaluate_kafka_readiness(
    state: KafkaState, *, now: datetime, limits: KafkaLimits | None = None
) -> KafkaReadiness:
    """The grade of what was seen.

    Args:
        state: what was seen.
        now: the time of the verdict, aware; an observation ages.
        limits: None for the defaults.
    """
    used = limits or KafkaLimits()
    reasons = tuple(_reasons(state, now, used)) if state.streaming else ()
    return KafkaReadiness(worst(reasons), reasons, state)


def _reasons(state: KafkaState, now: datetime, limits: KafkaLimits) -> Iterator[Reason]:
    yield from _aged(
        "the look at the broker is",
        now - state.at,
        limits,
        cure="look again",
        code="kafka_unseen",
    )
    if state.oldest_waiting is not None:
        told = f"the oldest of {state.waiting} unsent events is"
        yield from _aged(
            told,
            now - state.oldest_waiting,
            limits,
            cure="see that 'emp kafka relay' runs",
            code="kafka_waiting",
        )
    if state.publishers < 1:
        text = "nobody sends what waits: run the Dagster daemon, or 'emp kafka relay --follow'"
        yield Reason(Grade.FAIL, text, "kafka_no_sender")
    if state.error:
        # What follows could not be seen.
        yield Reason(Grade.FAIL, state.error, "kafka_unreachable")
        return
    if state.brokers < 1:
        text = "no broker is there: check KAFKA_BOOTSTRAP_SERVERS"
        yield Reason(Grade.FAIL, text, "kafka_unreachable")
    missing = sorted(set(state.topics_needed) - set(state.topics_there))
    if missing:
        named = ", ".join(missing)
        text = f"topics are missing: {named}; 'emp kafka topics' makes them"
        yield Reason(Grade.FAIL, text, "kafka_topics")
    yield from _behind(state, limits)
    yield from _requests(state, limits)


def _behind(state: KafkaState, limits: KafkaLimits) -> Iterator[Reason]:
    if not state.group:
        return
    if state.lost:
        text = f"{state.lost} messages were removed before group {state.group} handled them"
        yield Reason(Grade.FAIL, f"{text}: see {_RUNBOOK}", "kafka_lost", value=state.lost)
    if state.stranded:
        text = f"group {state.group} waits beyond the end of {state.stranded} partitions"
        yield Reason(Grade.FAIL, f"{text}: see {_RUNBOOK}", "kafka_stranded", value=state.stranded)
    text = f"group {state.group} is {state.lag} messages behind: see that its consumers run"
    if state.lag >= limits.lag_fail:
        yield Reason(Grade.FAIL, text, "kafka_lag", value=state.lag, limit=limits.lag_fail)
    elif state.lag >= limits.lag_warn:
        yield Reason(Grade.WARN, text, "kafka_lag", value=state.lag, limit=limits.lag_warn)


def _requests(state: KafkaState, limits: KafkaLimits) -> Iterator[Reason]:
    """The platform itself has not taken what it was asked for."""
    lag, group = state.requests_lag, state.requests_group
    if state.requests_lost:
        text = f"{state.requests_lost} requests were removed before group {group} took them"
        reason = f"{text}: see {_RUNBOOK}"
        yield Reason(Grade.FAIL, reason, "kafka_requests_lost", value=state.requests_lost)
    text = f"{lag} requests for a refresh wait: see that the sensor refresh_requests runs"
    if lag >= limits.lag_fail:
        yield Reason(Grade.FAIL, text, "kafka_requests", value=lag, limit=limits.lag_fail)
    elif lag >= limits.lag_warn:
        yield Reason(Grade.WARN, text, "kafka_requests", value=lag, limit=limits.lag_warn)


def _aged(
    subject: str, age: timedelta, limits: KafkaLimits, *, cure: str, code: str
) -> Iterator[Reason]:
    """Something is too old."""
    seconds = age.total_seconds()
    if seconds < limits.stale_warn_seconds:
        return
    failing = seconds >= limits.stale_fail_seconds
    limit = limits.stale_fail_seconds if failing else limits.stale_warn_seconds
    text = f"{subject} {seconds:.0f} s old: {cure}"
    grade = Grade.FAIL if failing else Grade.WARN
    yield Reason(grade, text, code, value=seconds, limit=limit)
