"""A real broker, topics and a group of this module's own, an outbox in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.operations import SqlOutbox
from market_data.ports.event_results import IngestedSlice, IngestMetrics
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.operations_file import open_new

DAY = date(2024, 1, 2)


def named(prefix: str, bootstrap: str, **options: object) -> KafkaSettings:
    """Settings whose topics and group begin with a prefix."""
    return KafkaSettings(
        bootstrap_servers=(bootstrap,),
        timeout_seconds=10,
        ingest_default_topic=f"{prefix}ingest",
        replay_topic=f"{prefix}replay",
        ingest_consumer_group=f"{prefix}bridge",
        ingest_consumer_offset_reset="earliest",
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def settings(kafka_bootstrap: str, kafka_prefix: str) -> KafkaSettings:
    """Settings whose topics are there."""
    settings = named(kafka_prefix, kafka_bootstrap)
    provision(settings)
    return settings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An operations database."""
    engine = open_new(f"sqlite:///{tmp_path}/operations.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(engine: sa.Engine) -> SqlOutbox:
    """Where events wait."""
    return SqlOutbox(engine)


@pytest.fixture
def slice_event() -> Callable[..., Event]:
    """Makes the event of a slice."""

    def make(symbol: str = "AAPL", fetch: str = "", timeframe: Timeframe = Timeframe.D1) -> Event:
        result = IngestedSlice(
            vendor="yahoo",
            dataset=f"raw/yahoo_bars_{timeframe}",
            timeframe=timeframe,
            symbols=(symbol,),
            sessions=(DAY, DAY),
            rows={symbol: 1},
            outcomes={symbol: "rows"},
            new_rows=1,
            revised_rows=0,
            rejected_rows=0,
            fetch_id=fetch,
            run_id="",
        )
        now = datetime.now(UTC)
        return Event(result, now, event_id=fetch) if fetch else Event(result, now)

    return make


@pytest.fixture
def numbers() -> Callable[[int], Event]:
    """Makes a small event that holds a number."""

    def make(number: int) -> Event:
        result = IngestMetrics(
            vendor="yahoo",
            timeframe=Timeframe.D1,
            symbols=(f"S{number % 5}",),
            sessions=(DAY, DAY),
            run_id="",
            figures={"number": number},
        )
        return Event(result, datetime.now(UTC))

    return make
