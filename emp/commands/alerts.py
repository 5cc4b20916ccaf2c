"""`emp alerts`: what is in trouble, whom it reaches, silences, messages again."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line
from market_data.alerts.alert import Severity
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from emp.alerts import AlertParts
    from market_data.alerts import Alert

app = typer.Typer(help="Alerts: list, test the routes, silence, send again.", rich_markup_mode=None)

LIST_EXAMPLES = """
Examples:\n
  emp alerts list\n
  emp alerts list --all --json\n
  emp alerts list --messages --undelivered
"""
TEST_EXAMPLES = """
Examples:\n
  emp alerts test --dry-run\n
  emp alerts test --route ops-slack\n
  emp alerts test --severity error --json

Exit status 1 where a route does not take the message.
"""
SILENCE_EXAMPLES = """
Examples:\n
  emp alerts silence 'raw/yahoo_*' --for 4h --reason "Yahoo is being replaced"\n
  emp alerts silence --end 3\n
  emp alerts silence

A pattern fits an asset, or a key as 'emp alerts list' shows it; * stands for anything. What is
still wrong when a silence ends is told then, and that something is right again is told always.
"""
REPLAY_EXAMPLES = """
Examples:\n
  emp alerts replay --since 2024-03-01T12:00:00Z --route ops-webhook --dry-run\n
  emp alerts replay --refused

Messages keep their ids: whoever has seen one leaves it out. Without --refused, also what was
sent is sent again.
"""
SEND_EXAMPLES = """
Examples:\n
  emp alerts send\n
  emp alerts send --follow

The daemon does the same every half minute; of several senders one at a time works.
"""
CLOSE_EXAMPLES = """
Example:\n
  emp alerts close 'step|raw__yahoo_bars_1d|2024-02-08..2024-02-08|all'

For what no run will mend any more, such as the failure of a run that nobody repeats. Whoever was
told of it is told that it is over; should it be seen again, it is told anew.
"""

MINUTE = "%Y-%m-%d %H:%M UTC"

RouteOption = Annotated[str | None, typer.Option(help="Only this route.")]


def _parts(context: typer.Context) -> AlertParts:
    from emp.alerts import AlertParts

    return AlertParts(settings_of(context))


@app.command("list", epilog=LIST_EXAMPLES)
def list_alerts(
    context: typer.Context,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that are over, for thirty days.")
    ] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="The newest messages instead of the alerts.")
    ] = False,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="With --messages: only what no route took.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Print what is in trouble, how the routes fare, and what is silenced."""
    parts = _parts(context)
    if undelivered and not messages:
        raise ConfigurationError("--undelivered goes with --messages")
    if messages:
        _print_messages(parts, undelivered=undelivered, limit=limit, as_json=as_json)
        return
    found = parts.store.newest(closed=every, limit=limit)
    # One may have come or gone between the two looks.
    left_out = max(parts.store.count(closed=every) - len(found), 0) if len(found) == limit else 0
    health, silences = parts.health(), parts.store.silences(parts.now())
    if as_json:
        print_json(
            {
                "alerts": [_shown(parts, a) for a in found],
                "left_out": left_out,
                "routes": [{**asdict(h), "target": parts.target(h.route)} for h in health],
                "silences": [asdict(s) for s in silences],
            }
        )
        return
    _print_alerts(parts, found)
    if left_out:
        print_line(f"{left_out} more: --limit {limit + left_out}")
    for h in health:
        state = f"down since {h.down_since:{MINUTE}}: {h.error}" if h.down_since else "up"
        where = parts.target(h.route)
        print_line(f"route {h.route} ({where}): {state}; {h.waiting} wait, {h.refused} refused")
    for s in silences:
        print_line(f"silence {s.number}: {s.pattern} until {s.until:{MINUTE}}, {s.reason}")


def _print_alerts(parts: AlertParts, found: Sequence[Alert]) -> None:
    for alert in found:
        trouble = alert.trouble
        print_line(
            f"{parts.rules.level(trouble)} {alert.phase} since {alert.first_seen:{MINUTE}}, seen "
            f"{alert.sightings} times: {trouble.title}"
        )
        print_line(f"    {alert.fingerprint}" + (f": {trouble.detail}" if trouble.detail else ""))
    print_line("no alerts" if not found else "")


def _print_messages(parts: AlertParts, *, undelivered: bool, limit: int, as_json: bool) -> None:
    kept = parts.store.outbox.messages(undelivered=undelivered, limit=limit)
    if as_json:
        print_json([asdict(m) for m in kept])
        return
    for m in kept:
        how = "refused" if m.refused_at else "sent" if m.sent_at else "waits"
        note = f" ({m.error})" if m.error else ""
        print_line(f"{m.created_at:{MINUTE}} {m.route} {how}: {m.title}{note}")
    print_line("no messages" if not kept else "")


@app.command("test", epilog=TEST_EXAMPLES)
def test(
    context: typer.Context,
    *,
    route: RouteOption = None,
    severity: Annotated[Severity, typer.Option(help="Of the test message.")] = Severity.WARN,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent where.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a test message to every route, at once and past the outbox."""
    tested = _parts(context).test(route, severity, dry_run=dry_run)
    if as_json:
        print_json(tested)
    else:
        for found in tested:
            print_line(f"{found['route']} ({found['target']}): {found['result']}")
        if not tested:
            print_line(
                "no route: config/alerts.yaml names none, or OPERATIONS_ALERT_ROUTES is none"
            )
    if any(found["error"] for found in tested):
        raise typer.Exit(1)


@app.command("silence", epilog=SILENCE_EXAMPLES)
def silence(
    context: typer.Context,
    *,
    pattern: Annotated[
        str | None, typer.Argument(metavar="[PATTERN]", help="What is not told.")
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="For how long: 30m, 4h, 2d.")
    ] = "1h",
    reason: Annotated[str, typer.Option(help="Why; needed with a pattern.")] = "",
    end: Annotated[int | None, typer.Option(metavar="N", help="End this silence now.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold back what fits a pattern for a while; without one, print the silences."""
    parts = _parts(context)
    if end is not None:
        ended = parts.store.end_silence(end, parts.now())
        print_json({"silence": end, "ended": ended})
        if not ended:
            raise typer.Exit(1)
        return
    if pattern is not None:
        if not reason.strip():
            raise ConfigurationError("--reason is empty: say why nobody wants to hear of this")
        made = parts.silence(pattern, duration, reason)
        print_json(asdict(made))
        return
    found = parts.store.silences(parts.now())
    if as_json:
        print_json([asdict(s) for s in found])
        return
    for s in found:
        print_line(f"{s.number}: {s.pattern} until {s.until:{MINUTE}}, {s.reason}")
    print_line("no silences" if not found else "")


@app.command("replay", epilog=REPLAY_EXAMPLES)
def replay(
    context: typer.Context,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Messages made at or after it.")
    ] = None,
    route: RouteOption = None,
    refused: Annotated[
        bool,
        typer.Option("--refused", help="Only messages that a route refused or never answered."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many there are.")
    ] = False,
) -> None:
    """Let messages be sent again, under their ids and in their order."""
    from emp.moments import instant

    if since is None and not refused:
        raise ConfigurationError("say which messages: --since TIME, or --refused")
    parts = _parts(context)
    found = parts.store.outbox.replay(
        since=instant(since, "--since") if since else None,
        route=route,
        refused=refused,
        dry_run=dry_run,
    )
    if found and not dry_run:
        parts.store.outbox.hurry(route)
    print_json({"messages": found, "dry_run": dry_run})


@app.command("close", epilog=CLOSE_EXAMPLES)
def close(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As 'emp alerts list' shows it.")],
) -> None:
    """Call an alert over that nothing will mend."""
    print_json({"key": key, "messages": _parts(context).close(key)})


@app.command("send", epilog=SEND_EXAMPLES)
def send(
    context: typer.Context,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until stopped, through outages.")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Try routes at once that failed a moment ago.")
    ] = False,
) -> None:
    """Send what waits in the outbox."""
    parts = _parts(context)
    if now:
        parts.store.outbox.hurry()
    if not follow:
        done = parts.send()
        print_json([asdict(d) for d in done])
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parts.follow(stop, tell=_say)


def _shown(parts: AlertParts, alert: Alert) -> dict[str, Any]:
    trouble = asdict(alert.trouble)
    return {
        "key": alert.fingerprint,
        "phase": str(alert.phase),
        "level": str(parts.rules.level(alert.trouble)),
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
        "seen": alert.sightings,
        "told": sorted(alert.told),
        **trouble,
        "runbook": parts.rules.page(alert.trouble),
    }


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
