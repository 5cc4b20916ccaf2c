"""`emp backfill`: plan, launch, watch, repeat and cancel backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands import backfill_rollback
from emp.commands.backfill_options import (
    DatasetArgument,
    DaysOption,
    EndOption,
    EngineOption,
    FeaturesOption,
    IdArgument,
    LocalOption,
    NoSnapshotOption,
    OffPeakOption,
    OutdatedOption,
    OverwriteOption,
    PilotOption,
    RefetchOption,
    StartOption,
    SymbolsOption,
    TargetArgument,
    ThoroughOption,
    UiOption,
    VendorOption,
    WatchOption,
)
from emp.commands.options import JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line
from market_data.backfill.plans import SPARK
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.operations_opening import Operations
    from adapters.settings import Settings

app = typer.Typer(help="Backfills: plan, launch, watch, retry, cancel.", rich_markup_mode=None)

PLAN_EXAMPLES = """
Examples:\n
  emp backfill plan bars_1d --symbols AAPL,MSFT --start 2015-01-02 --end 2024-03-28\n
  emp backfill plan bars_1m --days 30 --vendor yahoo --json\n
  emp backfill plan bars_1d --outdated

DATASET is bars_<timeframe> for curated bars, or raw/<vendor>_bars_<timeframe> for the raw bars of
one vendor. Sessions that have an answer are left out unless told otherwise. Nobody is asked and
nothing is written.
"""
LAUNCH_EXAMPLES = """
Examples:\n
  emp backfill launch bars_1d --symbols AAPL,MSFT --start 2015-01-02 --end 2024-03-28\n
  emp backfill launch bars_1m --days 700 --pilot --local\n
  emp backfill launch bars_1m --days 700 --off-peak --watch\n
  emp backfill launch 3f2a9c51d0b7 --local

Dagster runs it: a webserver that answers is asked for the first piece over GraphQL; the daemon goes
on with the others, and begins it where no webserver runs. With --local this command runs it, and
exits with 0 where every piece succeeded. With an id, one that was paused or whose processes died
goes on where it was. Progress goes to stderr, one JSON document to stdout.
"""
WATCH_EXAMPLES = """
Examples:\n
  emp backfill watch 3f2a\n
  emp backfill watch 3f2a --json-lines --every 10

It ends with the backfill, or when that is paused. Exit status 0 where every piece succeeded.
"""
RETRY_EXAMPLES = """
Examples:\n
  emp backfill retry-failed 3f2a\n
  emp backfill retry-failed 3f2a --local

Pieces that failed, or that a check held back, are run again; the others stay as they are.
"""
CANCEL_EXAMPLES = """
Examples:\n
  emp backfill cancel 3f2a

No further piece begins. A piece that is at work is finished first; what was stored stays.
"""


@app.command("plan", epilog=PLAN_EXAMPLES)
def plan(
    context: typer.Context,
    dataset: DatasetArgument,
    *,
    symbols: SymbolsOption = None,
    start: StartOption = None,
    end: EndOption = None,
    days: DaysOption = None,
    vendor: VendorOption = None,
    refetch: RefetchOption = False,
    overwrite_curated: OverwriteOption = False,
    overwrite_features: FeaturesOption = False,
    outdated: OutdatedOption = False,
    thorough: ThoroughOption = False,
    pilot: PilotOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a backfill would do, ask, take and store."""
    from adapters.automation import load_automation
    from emp.backfills import Wish, downstream, plan_lines, plan_told, planned

    settings = settings_of(context)
    wish = Wish(
        dataset,
        tuple(split(symbols)),
        start,
        end,
        days,
        tuple(split(vendor)),
        refetch,
        overwrite_curated,
        outdated,
        overwrite_features,
        thorough,
    )
    found, refused = planned(settings, load_automation(settings).backfill, wish, pilot=pilot)
    below = downstream(settings, found.plan.request.dataset)
    if as_json:
        print_json(plan_told(found, refused, below))
        return
    for line in plan_lines(found, refused, below):
        print_line(line)


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the newest backfills and how far each is."""
    from emp.backfill_launch import moment
    from emp.backfills import status_lines, status_told

    _, operations = _opened(context)
    now, found = moment(), operations.backfills.newest()
    if as_json:
        print_json([status_told(backfill, now) for backfill in found])
        return
    for backfill in found:
        print_line(status_lines(backfill, now)[0])
    if not found:
        print_line("no backfill was launched yet")


@app.command("status")
def status(context: typer.Context, id_: IdArgument, as_json: JsonOption = False) -> None:
    """Say how far a backfill is, and why pieces of it failed."""
    from emp.backfill_launch import moment
    from emp.backfills import status_lines, status_told

    _, operations = _opened(context)
    backfill = operations.backfills.get(id_)
    if as_json:
        print_json(status_told(backfill, moment()))
        return
    for line in status_lines(backfill, moment()):
        print_line(line)


@app.command("launch", epilog=LAUNCH_EXAMPLES)
def launch(
    context: typer.Context,
    target: TargetArgument,
    *,
    symbols: SymbolsOption = None,
    start: StartOption = None,
    end: EndOption = None,
    days: DaysOption = None,
    vendor: VendorOption = None,
    refetch: RefetchOption = False,
    overwrite_curated: OverwriteOption = False,
    overwrite_features: FeaturesOption = False,
    outdated: OutdatedOption = False,
    thorough: ThoroughOption = False,
    pilot: PilotOption = False,
    off_peak: OffPeakOption = False,
    local: LocalOption = False,
    watch: WatchOption = False,
    ui: UiOption = "",
    no_snapshot: NoSnapshotOption = False,
    engine: EngineOption = "local",
) -> None:
    """Run a backfill, piece after piece, each in a process of its own."""
    from emp.backfill_launch import Way, added, check_daemon, check_spark, go, going_on
    from emp.backfills import Wish

    settings, operations = _opened(context)
    if local and ui:
        raise ConfigurationError("give either --local or --ui")
    way = Way(local=local, watch=watch, ui=ui)
    if not local:
        check_daemon(settings)
    if "bars_" not in target:
        chosen = (symbols, start, end, days is not None, vendor, refetch, overwrite_curated)
        anew = overwrite_features, outdated, thorough
        if any((*chosen, *anew, pilot, off_peak, no_snapshot, engine != "local")):
            raise ConfigurationError(
                f"{target!r} is no dataset; a backfill that was launched goes on as it was planned"
            )
        known = going_on(operations.backfills.get(target))
        raise typer.Exit(go(settings, operations, known, way))
    wish = Wish(
        target,
        tuple(split(symbols)),
        start,
        end,
        days,
        tuple(split(vendor)),
        refetch,
        overwrite_curated,
        outdated,
        overwrite_features,
        thorough,
        engine,
    )
    if engine == SPARK:
        check_spark()
    kept = not no_snapshot
    name = added(settings, operations, wish, way, pilot=pilot, off_peak=off_peak, snapshot=kept)
    raise typer.Exit(go(settings, operations, name, way))


@app.command("watch", epilog=WATCH_EXAMPLES)
def watch(
    context: typer.Context,
    id_: IdArgument,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.2, help="Between two looks.")
    ] = 2.0,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="One JSON document per look.")
    ] = False,
) -> None:
    """Show the progress of a backfill until it is over."""
    from functools import partial

    from emp.backfill_idle import alone
    from emp.backfill_launch import shown_to_its_end

    settings, operations = _opened(context)
    look = partial(alone, settings, operations)
    raise typer.Exit(
        shown_to_its_end(operations, id_, every=every, json_lines=json_lines, alone=look)
    )


@app.command("retry-failed", epilog=RETRY_EXAMPLES)
def retry_failed(
    context: typer.Context, id_: IdArgument, *, local: LocalOption = False, ui: UiOption = ""
) -> None:
    """Run the pieces of a backfill again that did not succeed."""
    from emp.backfill_launch import Way, check_daemon, go, moment
    from market_data.backfill.records import BackfillState, PieceState

    settings, operations = _opened(context)
    kept = operations.backfills
    backfill = kept.get(id_)
    if backfill.state is not BackfillState.FAILED:
        raise ConfigurationError(
            f"backfill {backfill.id} is {backfill.state}; pieces are retried once it has failed"
        )
    if not local:
        check_daemon(settings)
    kept.again(backfill.id, (PieceState.FAILED, PieceState.HELD))
    way = Way(local=local, ui=ui)
    kept.move(backfill.id, (BackfillState.FAILED,), way.first_state, moment())
    raise typer.Exit(go(settings, operations, backfill.id, way))


@app.command("cancel", epilog=CANCEL_EXAMPLES)
def cancel(context: typer.Context, id_: IdArgument) -> None:
    """Begin no further piece of a backfill."""
    from emp.backfill_launch import driver_of, moment
    from market_data.backfill.records import BackfillState
    from market_data.errors import StoreConflictError

    settings, operations = _opened(context)
    kept = operations.backfills
    backfill = kept.get(id_)
    going = (BackfillState.WAITING, BackfillState.RUNNING, BackfillState.PAUSED)
    moved = kept.move(backfill.id, going, BackfillState.CANCELLING, moment())
    if not moved and backfill.state is not BackfillState.CANCELLING:
        raise ConfigurationError(f"backfill {backfill.id} is {backfill.state} already")
    rounds = driver_of(settings, operations, print_line).rounds
    try:
        with rounds.turns.take(backfill.id):
            rounds.play(backfill.id)
    except StoreConflictError:
        # Whoever drives it does the same.
        pass
    state = kept.get(backfill.id).state
    at_work = "" if state.is_over else "; a piece is at work, and ends first"
    print_line(f"backfill {backfill.id} is {state}{at_work}")


app.command("rollback", epilog=backfill_rollback.EXAMPLES)(backfill_rollback.rollback)


@app.command("piece", hidden=True)
def piece(context: typer.Context, id_: str, number: int, token: str) -> None:
    """Run one piece that was claimed; 'emp backfill launch' starts this."""
    from emp.backfill_driver import work_on_piece

    debug = invocation(context).debug
    if not work_on_piece(settings_of(context), id_, number, token, debug=debug):
        raise typer.Exit(1)


def _opened(context: typer.Context) -> tuple[Settings, Operations]:
    from adapters.modes import decide
    from emp.reporting import operations_of

    settings = settings_of(context)
    return settings, operations_of(decide(settings))
