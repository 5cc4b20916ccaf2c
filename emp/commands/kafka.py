"""`emp kafka`: topics, events that wait, consumers that are behind, rows to a topic."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import EndOption, JsonOption, StartOption, split
from emp.invocation import settings_of
from emp.moments import day, instant
from emp.output import print_json, print_line
from emp.streaming import Streaming
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.kafka.lag import ConsumerLag

app = typer.Typer(help="Kafka: topics, events, lag, replay.", rich_markup_mode=None)

GroupOption = Annotated[
    str | None, typer.Option(help="Consumer group; default: KAFKA_INGEST_CONSUMER_GROUP.")
]
TopicsOption = Annotated[
    list[str] | None, typer.Option(metavar="A,B", help="Only these topics; default: all of events.")
]

TOPICS_EXAMPLES = """
Examples:\n
  emp kafka topics --dry-run\n
  emp kafka topics --json
"""
RELAY_EXAMPLES = """
Examples:\n
  emp kafka relay\n
  emp kafka relay --follow\n
  emp kafka relay --resend-since 2024-03-01T12:00:00Z
"""
LAG_EXAMPLES = """
Examples:\n
  emp kafka lag\n
  emp kafka lag --group research --topics market-data.replay --json
"""
MOVE_EXAMPLES = """
Examples:\n
  emp kafka move earliest\n
  emp kafka move 2024-03-01T12:00:00Z --group research --topics telemetry.ingest
"""
REPLAY_EXAMPLES = """
Example:\n
  emp kafka replay curated/bars_1m --symbols AAPL,MSFT --start 2024-01-02 --end 2024-03-28
"""


def _streaming(context: typer.Context) -> Streaming:
    return Streaming(settings_of(context))


@app.command("topics", epilog=TOPICS_EXAMPLES)
def topics(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be made.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the topics that are missing, and list all that the platform writes to."""
    from adapters.alerts.opening import alert_topics
    from adapters.kafka.topics import provision

    kafka = _streaming(context).kafka
    wanted = kafka.topic_specs(kafka.refresh_topic, *alert_topics(settings_of(context)))
    found = provision(kafka, wanted, dry_run=dry_run)
    if as_json:
        print_json([asdict(topic) for topic in found])
        return
    for topic in found:
        fewer = topic.partitions < topic.wanted
        note = f" (the settings ask for {topic.wanted})" if fewer else ""
        print_line(f"{topic.name}: {topic.state}, {topic.partitions} partitions{note}")


@app.command("relay", epilog=RELAY_EXAMPLES)
def relay(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until stopped, through outages.")
    ] = False,
    resend_since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First let events sent since then be sent again."),
    ] = None,
) -> None:
    """Send the events that wait.

    Of several relays one sends at a time. Events that were sent stay for seven days, and can be
    sent again when the brokers lost them; whoever saw their ids leaves them out.
    """
    from adapters.kafka.factory import need_streaming

    parts = _streaming(context)
    need_streaming(parts.kafka)
    if resend_since is not None:
        again = parts.outbox().resend(since=instant(resend_since, "--resend-since"))
        _say(f"{again} events wait to be sent again")
    if not follow:
        relayed = parts.relay().drain()
        print_json({"sent": relayed.sent, "another_relay_is_at_it": relayed.busy})
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parts.relay().follow(stop, tell=_say)


@app.command("lag", epilog=LAG_EXAMPLES)
def lag(
    context: typer.Context,
    group: GroupOption = None,
    topics: TopicsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far a consumer group is behind, per partition."""
    from adapters.kafka.lag import consumer_lag

    found = consumer_lag(_streaming(context).kafka, group, split(topics) or None)
    _print_lag(found, as_json=as_json)


@app.command("move", epilog=MOVE_EXAMPLES)
def move(
    context: typer.Context,
    to: Annotated[str, typer.Argument(metavar="earliest|latest|TIME", help="Where to read on.")],
    group: GroupOption = None,
    topics: TopicsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a consumer group read on from another place; stop its consumers before.

    TIME: the first message sent at or after it.
    """
    from adapters.kafka.lag import move_group

    place = to if to in ("earliest", "latest") else instant(to, "TIME")
    kafka = _streaming(context).kafka
    _print_lag(move_group(kafka, place, group=group, topics=split(topics) or None), as_json=as_json)


@app.command("replay", epilog=REPLAY_EXAMPLES)
def replay(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="For instance curated/bars_1m.")
    ],
    symbols: Annotated[list[str], typer.Option(metavar="A,B", help="Platform symbols.")],
    start: StartOption,
    end: EndOption,
    topic: Annotated[
        str | None, typer.Option(help="Where to; default: KAFKA_REPLAY_TOPIC.")
    ] = None,
) -> None:
    """Send stored rows, one Arrow batch per symbol and month or year.

    Prints the replay's id, by which adapters.kafka.reader.read_replay finds the rows. Without any
    row the exit status is 1.
    """
    from adapters.kafka.factory import open_target
    from adapters.kafka.replay import replay as send
    from adapters.kafka.replay import replayable

    parts, table = _streaming(context), replayable(dataset)
    first, last = day(start, "--start"), day(end, "--end")
    names = split(symbols)
    if not names or last < first:
        raise ConfigurationError("--symbols names at least one, and --end is not before --start")
    with open_target(parts.kafka, topic) as target:
        store = parts.store()
        done = send(store, table, names, first, last, to=target, now=datetime.now(UTC), tell=_say)
    print_json(asdict(done))
    if not done.rows:
        of = ", ".join(names)
        _say(f"no row was sent: {dataset} holds none of {of} from {first} to {last}")
        raise typer.Exit(1)


def _print_lag(found: ConsumerLag, *, as_json: bool) -> None:
    partitions: list[dict[str, Any]] = [
        {**asdict(p), "lag": p.lag, "lost": p.lost, "beyond_end": p.ahead} for p in found.partitions
    ]
    if as_json:
        totals = {"group": found.group, "total": found.total, "lost": found.lost}
        print_json({**totals, "topics": found.by_topic, "partitions": partitions})
        return
    for p in found.partitions:
        at = "nothing committed" if p.committed is None else f"at {p.committed}"
        note = f", {p.lost} lost" if p.lost else ", beyond the end" if p.ahead else ""
        behind = max(0, p.lag)
        print_line(f"{p.topic}/{p.partition}: {at} of {p.first} to {p.end}, {behind} behind{note}")
    print_line(f"group {found.group} is {found.total} messages behind")


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
