"""`emp messages`: asking for a refresh over Kafka, and messages that were parked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import EndOption, JsonOption, StartOption, split
from emp.invocation import settings_of
from emp.moments import day
from emp.output import print_json, print_line
from emp.streaming import Streaming
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.operations.messages import SqlRefreshMessages

app = typer.Typer(
    help="Messages that ask for a refresh: send one, look after those that were parked.",
    rich_markup_mode=None,
)
NumberArgument = Annotated[int, typer.Argument(metavar="ID", help="Of the parked message.")]

SEND_EXAMPLES = """
Examples:\n
  emp messages send bars_1d --symbols AAPL,MSFT --start 2024-01-02 --end 2024-01-05\n
  emp messages send raw/yahoo_bars_1d --symbols AAPL --start 2024-01-02 --end 2024-01-02 --refetch
"""
PARKED_EXAMPLES = """
Examples:\n
  emp messages parked\n
  emp messages parked --all --json

Exit status 1 where one waits for a decision.
"""
RETRY_EXAMPLES = """
Example:\n
  emp messages retry 17
"""
DROP_EXAMPLES = """
Example:\n
  emp messages drop 17 --reason "the sender has mended its dates"
"""


def _kept(context: typer.Context) -> SqlRefreshMessages:
    return Streaming(settings_of(context)).messages()


@app.command("send", epilog=SEND_EXAMPLES)
def send(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="bars_1d, or raw/yahoo_bars_1d.")
    ],
    symbols: Annotated[list[str], typer.Option(metavar="A,B", help="Platform symbols.")],
    start: StartOption,
    end: EndOption,
    *,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Ask again for what was answered.")
    ] = False,
) -> None:
    """Ask for sessions to be made anew; whoever reads the topic launches a backfill."""
    from adapters.kafka.factory import need_streaming
    from adapters.kafka.refresh import send_refresh
    from market_data.refresh_messages import VERSION, PoisonError, read_content, written

    content = {
        "version": VERSION,
        "dataset": dataset,
        "symbols": list(split(symbols)),
        "start": day(start, "--start").isoformat(),
        "end": day(end, "--end").isoformat(),
        "refetch": refetch,
    }
    try:
        wish = read_content(content)
    except PoisonError as error:
        raise ConfigurationError(f"that says nothing that can be done: {error}") from error
    kafka = Streaming(settings_of(context)).kafka
    need_streaming(kafka)
    send_refresh(kafka, [(wish.dataset, written(wish))])
    print_line(f"sent to {kafka.refresh_topic}")


@app.command("parked", epilog=PARKED_EXAMPLES)
def parked(
    context: typer.Context,
    *,
    decided: Annotated[
        bool, typer.Option("--all", help="Also those about which was decided.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List messages that say nothing that can be done, newest first."""
    found = _kept(context).parked(decided=decided)
    if as_json:
        print_json([asdict(each) for each in found])
    elif not found:
        print_line("no message is parked")
    for each in found if not as_json else ():
        message = each.message
        where = f"{each.topic}/{message.partition}/{message.place}"
        told = f", {each.decision}" if each.decision else ""
        print_line(f"{each.id}  {each.parked_at:%Y-%m-%d %H:%M}  {where}: {message.reason}{told}")
        print_line(f"    {message.body[:200]}")
    raise typer.Exit(1 if any(each.decided_at is None for each in found) else 0)


@app.command("retry", epilog=RETRY_EXAMPLES)
def retry(context: typer.Context, number: NumberArgument) -> None:
    """Send a parked message again, as it was, once what kept it from being done is mended."""
    from adapters.kafka.factory import need_streaming
    from adapters.kafka.refresh import send_refresh
    from adapters.operations.messages import LONGEST

    kept = _kept(context)
    found = kept.get(number)
    if len(found.message.body) >= LONGEST:
        raise ConfigurationError(f"message {number} was too long to be kept whole: send it anew")
    kafka = Streaming(settings_of(context)).kafka
    need_streaming(kafka)
    send_refresh(kafka, [(str(number), found.message.body.encode())])
    kept.decide(number, "sent again", datetime.now(UTC))
    print_line(f"message {number} was sent again to {kafka.refresh_topic}")


@app.command("drop", epilog=DROP_EXAMPLES)
def drop(
    context: typer.Context,
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why nothing is lost by it.")],
) -> None:
    """Decide that a parked message asks for nothing."""
    kept = _kept(context)
    kept.get(number)
    kept.decide(number, f"dropped: {reason}", datetime.now(UTC))
    print_line(f"message {number} was dropped")
