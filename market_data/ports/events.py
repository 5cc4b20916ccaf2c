"""The events port: what happened, told to whoever listens.

What belongs here: an event, its one JSON form, and the promise of a publisher.
What does not: what an event tells (market_data/ports/event_results.py), what is said about a step
(market_data/pipeline/telemetry.py), topics, brokers, delivery (adapters/kafka).

The JSON form, UTF-8, is one object:

    {"emitted_at": "2024-01-02T21:05:00.000000Z",
     "result": {"kind": "ingested_slice", ...the fields of the class, mappings as objects},
     "metadata": {"event_id": "...", "dimension": "daily_bars", "version": 1, ...}}

`event_id` names the event once: the same event may arrive twice, and a listener that has seen its
id leaves it out. An event's key, by which a topic keeps order, is its first symbol, or the name of
the report that it is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from market_data.errors import SchemaError
from market_data.ports.event_results import Dimension, OperationsReport, Result
from market_data.ports.redaction import sanitised

VERSION = 1
"""Of the JSON form; raised when a field changes its meaning or goes."""

_RESERVED = ("event_id", "dimension", "version")


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        result: what; names at least one symbol, unless it is a report.
        emitted_at: when it was told, aware; kept in UTC.
        metadata: whatever else helps a reader, as JSON values. Secrets are taken out when the
            event is made, see market_data/ports/redaction.py.
        event_id: names the event once, however often it is sent.

    Raises:
        ValueError: the time has no zone, no symbol is named, or metadata uses a name of the form.
    """

    result: Result
    emitted_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.emitted_at.tzinfo is None:
            raise ValueError(f"{self.emitted_at} has no time zone")
        if not isinstance(self.result, OperationsReport) and not self.result.symbols:
            raise ValueError("an event is about at least one symbol: the first is its key")
        taken = [name for name in _RESERVED if name in self.metadata]
        if taken:
            raise ValueError(f"metadata cannot be named {', '.join(taken)}")
        object.__setattr__(self, "emitted_at", self.emitted_at.astimezone(UTC))
        object.__setattr__(self, "metadata", sanitised(self.metadata))

    @property
    def key(self) -> str:
        """The first symbol, or the name of a report; events of one key keep their order."""
        if isinstance(self.result, OperationsReport):
            return self.result.report
        return self.result.symbols[0]

    @property
    def dimension(self) -> Dimension:
        """What it is about."""
        return self.result.dimension

    def to_json(self) -> str:
        """The JSON form, pure ASCII."""
        content = {
            "emitted_at": f"{self.emitted_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "result": _results().dump_python(self.result, mode="json"),
            "metadata": {
                "event_id": self.event_id,
                "dimension": self.dimension,
                "version": VERSION,
                **self.metadata,
            },
        }
        return json.dumps(content, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """The event of a JSON form.

        Raises:
            SchemaError: the text is not of this form, or of a later version of it.
        """
        try:
            content = json.loads(text)
            metadata = dict(content["metadata"])
            if metadata.pop("version") != VERSION:
                raise SchemaError(f"event: only version {VERSION} of the form is known")
            metadata.pop("dimension")
            event = cls(
                result=_results().validate_python(content["result"]),
                emitted_at=datetime.fromisoformat(content["emitted_at"]),
                event_id=str(metadata.pop("event_id")),
            )
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            # Not repeated: what came may be anything, and of any length.
            raise SchemaError(f"event: not of the promised form ({type(error).__name__})") from None
        # As it was sent: it was cleaned when the event was made.
        object.__setattr__(event, "metadata", metadata)
        return event


class EventPublisher(Protocol):
    """Takes events for delivery."""

    def publish(self, events: Sequence[Event]) -> None:
        """Take events, in their order.

        What was taken arrives even if this process dies or the broker is away; an event with an
        id that is known is taken once.
        """
        ...


@cache
def _results() -> TypeAdapter[Result]:
    return TypeAdapter(Result)
