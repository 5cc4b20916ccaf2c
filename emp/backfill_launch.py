"""Launching backfills from the command line, and going on with them.

What belongs here: from a wish or an id to a driven backfill and an exit status. What does not: the
loop of the driver (emp/backfill_driver.py), what a person is shown (emp/backfills.py).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

from emp.narration import Narrator
from emp.output import print_json
from emp.supervision import stopping
from market_data.backfill.records import Backfill, BackfillState, PieceRecord
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.operations_opening import Operations
    from adapters.settings import Settings
    from emp.backfill_driver import Driver
    from emp.backfills import Wish
    from market_data.backfill.driving import Tell, WhyAway

_LOOKS = 15
"""After so many looks at its progress, one at whether anybody goes on with it."""


def moment() -> datetime:
    """Now."""
    from adapters.clock import SystemClock

    return SystemClock().now()


def driver_of(
    settings: Settings, operations: Operations, tell: Tell, *, here: bool = False
) -> Driver:
    """A driver over an installation.

    Args:
        settings: of the installation.
        operations: its ports.
        tell: takes sentences for a person.
        here: whether it starts the processes of the pieces itself.

    Raises:
        ConfigurationError: config/automation.yaml is wrong.
    """
    from adapters.automation import load_automation
    from adapters.backfill_turns import open_turns
    from adapters.clock import SystemClock
    from emp.backfill_driver import Driver
    from market_data.backfill.driving import HERE, Rounds

    policy = load_automation(settings).backfill
    turns = open_turns(settings, operations.turn_locks)
    rounds = Rounds(operations.backfills, turns, SystemClock(), policy, tell)
    coming, ended = coming_of(settings), set[str]()
    return Driver(
        replace(
            rounds,
            is_coming=lambda piece: piece.token not in ended and coming(piece),
            why_away=look_of(settings),
            tokens=HERE if here else "",
        ),
        ended,
    )


def coming_of(settings: Settings) -> Callable[[PieceRecord], bool]:
    """Looks whether the run of a claimed piece is on its way, for instance in Dagster's queue."""

    def coming(piece: PieceRecord) -> bool:
        from emp.run import quiet_dagster

        quiet_dagster()
        from emp.instance import open_instance
        from jobs.backfill_coming import is_coming

        with open_instance(settings) as instance:
            return is_coming(instance, piece, moment())

    return coming


def look_of(settings: Settings) -> WhyAway:
    """Looks whether the warehouse of an installation answers."""
    from adapters.modes import decide
    from market_data.backfill.driving import always_there

    servers = decide(settings).servers
    if servers is None:
        return always_there

    def look() -> str:
        from adapters.timescale.answering import why_away

        return why_away(servers.timescale)

    return look


@dataclass(frozen=True)
class Way:
    """How a backfill is driven.

    Attributes:
        local: here, to its end; by the daemon otherwise.
        watch: its progress is shown until it is over; of a local one it always is.
        ui: address of the webserver that begins it; empty for that of this machine.
    """

    local: bool
    watch: bool = False
    ui: str = ""

    @property
    def first_state(self) -> BackfillState:
        """That of a backfill until its driver has it.

        One that runs is taken by the daemon, which may be there before this process.
        """
        return BackfillState.PAUSED if self.local else BackfillState.RUNNING


def added(
    settings: Settings,
    operations: Operations,
    wish: Wish,
    way: Way,
    *,
    pilot: bool,
    off_peak: bool,
    snapshot: bool = True,
) -> str | None:
    """Keep the plan of a wish as a backfill; its id, or None where there is nothing to do.

    Raises:
        ConfigurationError: the plan cannot be made, or is too large to be launched without a pilot.
    """
    from adapters.automation import load_automation
    from emp.backfill_rollback import take_snapshot
    from emp.backfills import plan_lines, planned
    from emp.quarantine import who

    policy = load_automation(settings).backfill
    found, refused = planned(
        settings, policy, wish, pilot=pilot, off_peak=off_peak, snapshot=snapshot
    )
    with Narrator() as narrator:
        for line in plan_lines(found, "", None):
            narrator.say(line)
        if found.plan.off_peak:
            narrator.say(f"its pieces begin between {policy.off_peak} (backfill.off_peak)")
    if refused:
        raise ConfigurationError(refused)
    if not found.plan.pieces:
        return None
    with Narrator() as narrator:
        take_snapshot(settings, policy, found.plan, narrator.step)
    return operations.backfills.add(found.plan, at=moment(), author=who(), state=way.first_state)


def check_daemon(settings: Settings) -> None:
    """Look whether Dagster's daemon is there to take a backfill.

    Raises:
        ConfigurationError: it is not.
    """
    from emp.run import quiet_dagster

    quiet_dagster()
    from adapters.probes import State
    from emp.instance import open_instance
    from resources.daemon_probe import SEVERAL, daemon_probe

    found = daemon_probe(lambda: open_instance(settings), required=False).look()
    if found.state is not State.OK and found.detail != SEVERAL:
        raise ConfigurationError(
            f"Dagster's daemon cannot take the backfill: {found.detail}; 'emp dev' starts it, and "
            "--local runs the backfill here"
        )


def check_spark() -> None:
    """Look whether Spark can start here, before anything is planned.

    Raises:
        ConfigurationError: Java or pyspark is not there, or a setting is wrong.
    """
    from adapters.exports.settings import SparkSettings
    from adapters.exports.spark_session import prepare
    from adapters.variables import read

    prepare(read(SparkSettings), "or leave out --engine spark: this machine makes the same rows")


def going_on(backfill: Backfill) -> str:
    """The id of a backfill that may go on.

    Raises:
        ConfigurationError: it is over.
    """
    if backfill.state is BackfillState.FAILED:
        raise ConfigurationError(
            f"backfill {backfill.id} has failed; 'emp backfill retry-failed {backfill.id}' runs "
            "what did not succeed again"
        )
    if backfill.state.is_over:
        raise ConfigurationError(f"backfill {backfill.id} is {backfill.state}")
    return backfill.id


def go(settings: Settings, operations: Operations, name: str | None, way: Way) -> int:
    """Drive a backfill here, or leave it to the daemon; prints how it stands; the exit status.

    Args:
        settings: of the installation.
        operations: its ports.
        name: id of the backfill; None where there was nothing to do.
        way: how it is driven.

    Raises:
        ConfigurationError: another process drives it.
    """
    if name is None:
        print_json({"state": "nothing to do"})
        return 0
    if way.local:
        return _drive(settings, operations, name)
    return _hand_over(settings, operations, name, way)


def shown_to_its_end(
    operations: Operations,
    name: str,
    *,
    every: float = 2.0,
    json_lines: bool = False,
    alone: Callable[[Backfill], str] = lambda _: "",
) -> int:
    """Print the progress of a backfill until it is over, or paused; the exit status.

    Args:
        operations: the ports of the installation.
        name: beginning of its id.
        every: seconds between two looks.
        json_lines: one JSON document per look, changed or not.
        alone: looks whether anybody goes on with it; what it says goes to stderr, once.

    Raises:
        ConfigurationError: no backfill begins so, or several do.
    """
    from emp.backfills import status_lines, status_told

    shown: list[str] = []
    for look in count():
        backfill = operations.backfills.get(name)
        if json_lines:
            sys.stdout.write(json.dumps(status_told(backfill, moment())) + "\n")
        elif (lines := status_lines(backfill, moment())) != shown:
            shown = lines
            sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        if look % _LOOKS == 0 and (told := alone(backfill)):
            sys.stderr.write(f"{told}\n")
            alone = lambda _: ""  # noqa: E731
        if backfill.state.is_over or backfill.state is BackfillState.PAUSED:
            return 0 if backfill.state is BackfillState.SUCCEEDED else 1
        time.sleep(every)
    return 1


def _hand_over(settings: Settings, operations: Operations, name: str, way: Way) -> int:
    from emp.backfill_graphql import begun
    from emp.backfills import status_told

    paused = (BackfillState.PAUSED,)
    operations.backfills.move(name, paused, BackfillState.RUNNING, moment())
    with Narrator() as narrator:
        narrator.say(begun(settings, operations, name, way.ui))
        narrator.say(f"'emp backfill watch {name}' shows it")
    if way.watch:
        return shown_to_its_end(operations, name)
    print_json(status_told(operations.backfills.get(name), moment()))
    return 0


def _drive(settings: Settings, operations: Operations, name: str) -> int:
    from emp.backfills import status_told

    with stopping() as stop:
        # No line that changes: the processes of the pieces write to the same terminal.
        with Narrator(debug=True) as narrator:
            narrator.say(f"backfill {name}")
            driver = driver_of(settings, operations, narrator.say, here=True)
            done = driver.drive(name, stop)
        print_json(status_told(done, moment()))
        if stop.signal is not None:
            return 128 + stop.signal
    return 0 if done.state is BackfillState.SUCCEEDED else 1
