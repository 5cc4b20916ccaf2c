"""Launching backfills from the command line, and going on with them.

What belongs here: from a wish or an id to a driven backfill and an exit status. What does not: the
loop of the driver (emp/backfill_driver.py), what a person is shown (emp/backfills.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from emp.narration import Narrator
from emp.output import print_json
from emp.supervision import stopping
from market_data.backfill.records import Backfill, BackfillState
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.backend import Operations
    from adapters.settings import Settings
    from emp.backfill_driver import Driver, Tell
    from emp.backfills import Wish


def moment() -> datetime:
    """Now."""
    from adapters.clock import SystemClock

    return SystemClock().now()


def driver_of(settings: Settings, operations: Operations, tell: Tell) -> Driver:
    """A driver over an installation.

    Args:
        settings: of the installation.
        operations: its ports.
        tell: takes sentences for a person.

    Raises:
        ConfigurationError: config/automation.yaml is wrong.
    """
    from adapters.automation import load_automation
    from adapters.backfill_turns import open_turns
    from adapters.clock import SystemClock
    from emp.backfill_driver import Driver

    policy = load_automation(settings).backfill
    turns = open_turns(settings, operations.turn_locks)
    return Driver(operations.backfills, turns, SystemClock(), policy, tell)


def added(settings: Settings, operations: Operations, wish: Wish, *, pilot: bool) -> str | None:
    """Keep the plan of a wish as a backfill; its id, or None where there is nothing to do.

    Raises:
        ConfigurationError: the plan cannot be made, or is too large to be launched without a pilot.
    """
    from adapters.automation import load_automation
    from emp.backfills import plan_lines, planned
    from emp.quarantine import who

    policy = load_automation(settings).backfill
    found, refused = planned(settings, policy, wish, pilot=pilot)
    with Narrator() as narrator:
        for line in plan_lines(found, "", []):
            narrator.say(line)
    if refused:
        raise ConfigurationError(refused)
    if not found.plan.pieces:
        return None
    return operations.backfills.add(found.plan, at=moment(), author=who())


def going_on(backfill: Backfill) -> str:
    """The id of a backfill that may go on.

    Raises:
        ConfigurationError: it is over, or is being cancelled.
    """
    if backfill.state is BackfillState.FAILED:
        raise ConfigurationError(
            f"backfill {backfill.id} has failed; 'emp backfill retry-failed {backfill.id}' runs "
            "what did not succeed again"
        )
    if backfill.state not in (BackfillState.RUNNING, BackfillState.PAUSED):
        raise ConfigurationError(f"backfill {backfill.id} is {backfill.state}")
    return backfill.id


def drive(settings: Settings, operations: Operations, name: str | None) -> int:
    """Take a backfill to its end and print how it ended; the exit status.

    Args:
        settings: of the installation.
        operations: its ports.
        name: id of the backfill; None where there was nothing to do.

    Raises:
        ConfigurationError: another process drives it.
    """
    from emp.backfills import status_told

    if name is None:
        print_json({"state": "nothing to do"})
        return 0
    with stopping() as stop:
        # No line that changes: the processes of the pieces write to the same terminal.
        with Narrator(debug=True) as narrator:
            narrator.say(f"backfill {name}")
            done = driver_of(settings, operations, narrator.say).drive(name, stop)
        print_json(status_told(done, moment()))
        if stop.signal is not None:
            return 128 + stop.signal
    return 0 if done.state is BackfillState.SUCCEEDED else 1
