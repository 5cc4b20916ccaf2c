"""Replay: stored rows to a topic, a batch per symbol and slice.

What belongs here: which slices are read and sent, in bounded memory.
What does not: the form of a message (arrow.py), reading them back (reader.py).

A slice is a calendar month of a fine timeframe and a calendar year of the others, or the part of
it that was asked for. Each is read from one snapshot of the store; a slice that is written while
the replay runs is sent as it was before or after, never as a mixture of both.
"""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl

from adapters.kafka.arrow import END, Slice, to_messages
from adapters.kafka.delivery import Delivery, Flight, Message
from market_data.datasets import SCORES_DATASET, Dataset, Layout, curated_bars
from market_data.errors import ConfigurationError
from market_data.ports.bar_store import BarStore
from market_data.timeframes import Timeframe

Span = tuple[str, tuple[date, date]]
"""A period's name, and its first and last session."""
WINDOW_BYTES = 8_000_000
"""Sent before the broker's word is waited for; two of them are in memory."""
_ENCODERS = 2
"""Threads that compress; one is half as fast as what it feeds."""
_ROWS_PER_SCAN = 600_000
_ROWS_PER_SLICE = {Layout.MONTH_BUCKET: 45_000, Layout.YEAR: 9_000}
"""Of one symbol, at most, of the finest timeframe of the layout."""


@dataclass(frozen=True)
class Target:
    """Where rows go.

    Attributes:
        delivery: the way to the broker.
        topic: of the messages.
        limit: bytes of a message at most; larger slices are split.
    """

    delivery: Delivery
    topic: str
    limit: int


@dataclass(frozen=True)
class Replayed:
    """What was sent.

    Attributes:
        replay_id: under which a reader finds it.
        topic: where.
        dataset: of the rows.
        slices: per symbol and period.
        messages: rows only.
        rows: in all.
        bytes: of the messages' values.
    """

    replay_id: str
    topic: str
    dataset: str
    slices: int = 0
    messages: int = 0
    rows: int = 0
    bytes: int = 0


def replayable(name: str) -> Dataset:
    """The dataset of a name.

    Raises:
        ConfigurationError: there is none that could be replayed; the message lists them.
    """
    known = {d.name: d for d in (*(curated_bars(t) for t in Timeframe), SCORES_DATASET)}
    if name not in known:
        raise ConfigurationError(f"no dataset {name!r} to replay; there are {', '.join(known)}")
    return known[name]


def replay(
    store: BarStore,
    dataset: Dataset,
    symbols: Sequence[str],
    start: date,
    end: date,
    *,
    to: Target,
    now: datetime,
    tell: Callable[[str], None] = lambda _: None,
) -> Replayed:
    """Send the stored rows of some symbols and sessions, and a last message that says how many.

    Args:
        store: where the rows lie.
        dataset: which table of it.
        symbols: whose rows; each once, whatever their order.
        start: first session.
        end: last session, included.
        to: where to.
        now: the time, aware; part of the replay's id.
        tell: takes a sentence about each slice.

    Raises:
        StreamError: the broker does not take them; a replay without its last message is none.
        SchemaError: one row alone is larger than a message may be.
    """
    done = Replayed(f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}", to.topic, dataset.name)
    window: list[Message] = []
    under_way: Flight | None = None
    slices = _slices(store, dataset, sorted(set(symbols)), (start, end), done.replay_id)
    for of, rows, messages in _encoded(slices, to):
        tell(f"{of.symbol} {of.name}: {rows} rows")
        done = _counted(done, rows, messages)
        for message in messages:
            window.append(message)
            if sum(len(m.value) for m in window) >= WINDOW_BYTES:
                # One window travels while the next is made.
                _landed(under_way)
                under_way = to.delivery.start(window)
                window = []
    _landed(under_way)
    _landed(to.delivery.start(window))
    _landed(to.delivery.start([_end(done, symbols, (start, end))]))
    return done


def _encoded(
    slices: Iterable[tuple[Slice, pl.DataFrame]], to: Target
) -> Iterator[tuple[Slice, int, list[Message]]]:
    """Each slice with its number of rows and its messages, in order; a few are made at once."""
    waiting: deque[tuple[Slice, int, Future[list[Message]]]] = deque()
    with ThreadPoolExecutor(_ENCODERS, thread_name_prefix="replay") as pool:
        for of, frame in slices:
            made = pool.submit(to_messages, frame, of, to.topic, to.limit)
            waiting.append((of, frame.height, made))
            if len(waiting) > 2 * _ENCODERS:
                first, rows, messages = waiting.popleft()
                yield first, rows, messages.result()
        for of, rows, made in waiting:
            yield of, rows, made.result()


def _counted(done: Replayed, rows: int, messages: Sequence[Message]) -> Replayed:
    return replace(
        done,
        slices=done.slices + 1,
        messages=done.messages + len(messages),
        rows=done.rows + rows,
        bytes=done.bytes + sum(len(m.value) for m in messages),
    )


def _landed(flight: Flight | None) -> None:
    error = flight.land().error if flight else None
    if error is not None:
        raise error


def _end(done: Replayed, symbols: Sequence[str], sessions: tuple[date, date]) -> Message:
    content = {
        **asdict(done),
        "symbols": sorted(set(symbols)),
        "sessions": [day.isoformat() for day in sessions],
    }
    headers = {
        "kind": END,
        "replay_id": done.replay_id,
        "message_id": f"{done.replay_id}/end",
        "dataset": done.dataset,
    }
    return Message(
        done.topic,
        done.replay_id.encode(),
        json.dumps(content).encode(),
        tuple((name, text.encode()) for name, text in headers.items()),
    )


def _slices(
    store: BarStore,
    dataset: Dataset,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    replay_id: str,
) -> Iterator[tuple[Slice, pl.DataFrame]]:
    """Every slice that has rows: a few symbols and periods per scan, each in the order of time."""
    spans = list(_spans(dataset.layout, *sessions))
    affordable = _ROWS_PER_SCAN // _ROWS_PER_SLICE[dataset.layout]
    periods = max(1, min(len(spans), affordable))
    together = max(1, affordable // periods)
    for place in range(0, len(symbols), together):
        group = symbols[place : place + together]
        for turn in range(0, len(spans), periods):
            several = spans[turn : turn + periods]
            around = (several[0][1][0], several[-1][1][1])
            rows = store.scan(dataset, symbols=group, sessions=around)
            held = rows.partition_by("symbol", as_dict=True, maintain_order=True)
            for (symbol,), frame in held.items():
                for (name, span), part in zip(several, _parts(frame, several), strict=True):
                    if not part.is_empty():
                        yield Slice(replay_id, dataset.name, str(symbol), name, span), part


def _parts(frame: pl.DataFrame, spans: Sequence[Span]) -> list[pl.DataFrame]:
    """The rows of each period; nothing is copied, since rows lie in the order of sessions."""
    sessions = frame.get_column("session")
    firsts = pl.Series([first for _, (first, _) in spans])
    starts = sessions.search_sorted(firsts, side="left")
    edges = [*starts, frame.height]
    return [frame.slice(a, b - a) for a, b in pairwise(edges)]


def _spans(layout: Layout, first: date, last: date) -> Iterator[Span]:
    """The periods of a range of sessions, cut at its ends."""
    monthly = layout is Layout.MONTH_BUCKET
    start = first
    while start <= last:
        turn = date(start.year, start.month, 1) if monthly else date(start.year, 1, 1)
        # Some day of the next period, and from it that period's first.
        later = turn + timedelta(days=31 if monthly else 366)
        following = later.replace(day=1) if monthly else later.replace(month=1, day=1)
        span = (start, min(last, following - timedelta(days=1)))
        yield f"{start:%Y-%m}" if monthly else f"{start:%Y}", span
        start = following
