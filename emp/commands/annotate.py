"""`emp annotate`: decide about bad sessions; list decisions, take one back."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import EndOption, JsonOption, StartOption, split
from emp.invocation import invocation, platform_for, settings_of
from emp.output import print_json, print_line, records, table_with_notes

if TYPE_CHECKING:
    from emp.annotations import Wish
    from market_data.pipeline.outdated import Outdated
    from market_data.ports import Annotation

app = typer.Typer(
    help="Decisions about bad sessions. They have an author, a time and a reason, and are kept for "
    "good; raw data never changes. docs/annotations.md says what follows from each.",
    rich_markup_mode=None,
)

ACCEPT_EXAMPLES = """
Examples:\n
  emp annotate accept AAPL --code jump --start 2024-03-05 --end 2024-03-05 --reason "a bid"\n
  emp annotate accept AAPL --start 2024-03-05 --end 2024-03-08 --reason "a halt" --dry-run

Without --code: the codes of all that is open about these sessions. What is found there later with
the same code is accepted, too; another code is not. Findings about no single symbol (score_shift,
a changed answer) have the symbol '*'.
"""
SETTLE_EXAMPLES = """
Example:\n
  emp annotate settle AAPL --vendor oanda --start 2024-03-05 --end 2024-03-06 --reason "..."

Bars of these sessions come from that vendor, whatever the priorities say, and their drift is
accepted; but for sessions of which it has no bars, which are told. Exactly the sessions that this
changes are curated anew.
"""
UNUSABLE_EXAMPLES = """
Example:\n
  emp annotate unusable EURUSD --start 2024-03-05 --end 2024-03-05 --reason "the feed froze"

'emp bars' leaves the bars out, unless it is called with --quality all: then they carry the flag
unusable. Nothing has to be curated anew. The session is RED in 'emp health'. Of --dataset
curated/bars_1m also longer bars that are made of these minutes are left out.
"""
IMPUTE_EXAMPLES = """
Examples:\n
  emp annotate impute AAPL --how ffill --start 2024-03-05 --end 2024-03-05 --reason "a lost day"\n
  emp annotate impute EURUSD --dataset curated/bars_1h --how prices=interpolate,limit=2 ...

'emp bars' makes up the bars that these sessions lack, marked in is_imputed_* columns, unless it is
called with --impute none or --quality ok. Nothing that is made up is stored, or counts as coverage.
"""
LIST_EXAMPLES = """
Examples:\n
  emp annotate list\n
  emp annotate list --symbols AAPL --all --json
"""
BACK_EXAMPLES = """
Example:\n
  emp annotate take-back 3 --reason "the vendor has mended the day"

Known from now on: reads as of an earlier time still see the decision.

What is open again may hold its sessions back (held_back), as it did before.
"""

Symbol = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="Platform symbol, for instance AAPL.")
]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Author = Annotated[
    str | None, typer.Option(help="Who decides; the user of this process, if not given.")
]
Curated = Annotated[str, typer.Option(help="Which curated bars: curated/bars_1d ...")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be decided; write nothing.")
]
DAILY = "curated/bars_1d"


@app.command("accept", epilog=ACCEPT_EXAMPLES)
def accept(
    context: typer.Context,
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="Platform symbol, or '*': see below.")
    ],
    *,
    start: StartOption,
    end: EndOption,
    reason: Reason,
    code: Annotated[
        list[str] | None,
        typer.Option("--code", help="Only findings of this code; may be repeated."),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="curated/bars_1d, raw/<vendor>_bars_1d, quality/scores ...")
    ] = DAILY,
    author: Author = None,
    dry_run: DryRun = False,
) -> None:
    """Accept findings: they stay listed, and count no more."""
    from emp.annotations import Wish
    from market_data.ports import Decision

    wish = Wish(
        Decision.ACCEPT, symbol, dataset, _days(start, end), reason, codes=tuple(split(code))
    )
    _decide(context, wish, author, dry_run=dry_run)


@app.command("settle", epilog=SETTLE_EXAMPLES)
def settle(
    context: typer.Context,
    symbol: Symbol,
    *,
    vendor: Annotated[str, typer.Option(help="Who is right.")],
    start: StartOption,
    end: EndOption,
    reason: Reason,
    dataset: Curated = DAILY,
    author: Author = None,
    dry_run: DryRun = False,
) -> None:
    """Say which vendor is right where vendors drift, and curate those sessions anew."""
    from emp.annotations import Wish
    from market_data.ports import Decision

    span = _days(start, end)
    wish = Wish(Decision.PREFER_VENDOR, symbol, dataset, span, reason, vendor=vendor)
    _decide(context, wish, author, dry_run=dry_run)


@app.command("unusable", epilog=UNUSABLE_EXAMPLES)
def unusable(
    context: typer.Context,
    symbol: Symbol,
    *,
    start: StartOption,
    end: EndOption,
    reason: Reason,
    dataset: Curated = DAILY,
    author: Author = None,
    dry_run: DryRun = False,
) -> None:
    """Mark sessions as unusable: readers do not get their bars unless they ask for all."""
    from emp.annotations import Wish
    from market_data.ports import Decision

    wish = Wish(Decision.UNUSABLE, symbol, dataset, _days(start, end), reason)
    _decide(context, wish, author, dry_run=dry_run)


@app.command("impute", epilog=IMPUTE_EXAMPLES)
def impute(
    context: typer.Context,
    symbol: Symbol,
    *,
    how: Annotated[
        str, typer.Option(help="ffill, or by column: prices=ffill,volume=zero,limit=3.")
    ],
    start: StartOption,
    end: EndOption,
    reason: Reason,
    dataset: Curated = DAILY,
    author: Author = None,
    dry_run: DryRun = False,
) -> None:
    """Ask for bars that sessions lack to be made up as they are read."""
    from emp.annotations import Wish
    from market_data.ports import Decision

    wish = Wish(Decision.IMPUTE, symbol, dataset, _days(start, end), reason, imputation=how)
    _decide(context, wish, author, dry_run=dry_run)


@app.command("list", epilog=LIST_EXAMPLES)
def list_decisions(
    context: typer.Context,
    *,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only about these symbols.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only about this dataset.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were taken back, and the take-backs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the decisions that stand."""
    from emp.annotations import listed

    platform = platform_for(context)
    names = split(symbols) or None
    for name in names or ():
        platform.universe.instrument(name)
    found = listed(platform, dataset=dataset, symbols=names, every=every)
    if as_json:
        print_json(records(found))
    else:
        shown = found if every else found.drop("state")
        print_line(table_with_notes(shown, "reason") if found.height else "no decisions")


@app.command("take-back", epilog=BACK_EXAMPLES)
def take_back(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="As 'emp annotate list' says.")],
    *,
    reason: Reason,
    author: Author = None,
    dry_run: DryRun = False,
) -> None:
    """Take a decision back; it stays in the record, and so does this."""
    from emp.annotations import accepted_by, keep, taking_back, to_curate, told

    platform = platform_for(context)
    stood, back = taking_back(platform, number, reason, author)
    found = accepted_by(platform, stood)
    said: dict[str, Any] = {"dry_run": dry_run, "taken_back": told(stood, stands=dry_run)}
    said["open_again"] = records(found)
    if dry_run:
        print_json(said)
        return
    said["id"] = keep(platform, back)
    said["curated_again"], done = _curated(context, stood, to_curate(platform, stood, found))
    print_json(said)
    raise typer.Exit(0 if done else 1)


def _decide(context: typer.Context, wish: Wish, author: str | None, *, dry_run: bool) -> None:
    """Keep a decision and do what follows from it.

    The same decision again is not kept twice, and finishes what the first one left undone.
    """
    from emp.annotations import decided, keep, to_curate, told

    platform = platform_for(context)
    found = decided(platform, wish, author)
    said: dict[str, Any] = {
        "dry_run": dry_run,
        "stood_already": found.annotation.id is not None,
        "decision": told(found.annotation),
        "findings": records(found.findings),
        "sessions_without_bars": [day.isoformat() for day in found.silent],
    }
    if dry_run:
        print_json(said)
        return
    said["decision"]["id"] = keep(platform, found.annotation)
    outdated = to_curate(platform, found.annotation, found.findings)
    said["curated_again"], done = _curated(context, found.annotation, outdated)
    print_json(said)
    raise typer.Exit(0 if done else 1)


def _curated(
    context: typer.Context, about: Annotation, ranges: list[Outdated]
) -> tuple[list[dict[str, Any]], bool]:
    """Curate, check and score ranges of sessions anew; what they were, and whether it succeeded.

    Features are made anew in which the decision's sessions have a part.
    """
    from emp.annotations import timeframe_of
    from emp.narration import Narrator
    from emp.run import renew_features, run_curation
    from market_data.pipeline.score import score_range
    from market_data.ports import Decision
    from market_data.quality.score_checks import EVERY_SYMBOL

    done, again = True, []
    with Narrator(debug=invocation(context).debug) as narrator:
        for found in ranges:
            narrator.say(
                f"curating and judging {found.timeframe} bars of {about.symbol} from {found.first} "
                f"to {found.last} anew"
            )
            record = run_curation(
                settings_of(context),
                found.timeframe,
                [about.symbol],
                found.first,
                found.last,
                narrator=narrator,
            )
            if held_back := record.stopped_by_checks_alone:
                # What is open again holds the scores back, too.
                score_range(platform_for(context), [about.symbol], found.first, found.last)
            done &= record.succeeded or held_back
            told = {name: str(value) for name, value in vars(found).items()}
            counts = {"sessions": found.sessions, "held_back": held_back}
            again.append({"symbol": about.symbol, **told, **counts})
        # Bars that people have made up are no part of features.
        of_bars = timeframe_of(about.dataset) is not None and about.symbol != EVERY_SYMBOL
        if of_bars and about.decision is not Decision.IMPUTE:
            changed = [(found.first, found.last) for found in ranges]
            changed.append((about.first_session, about.last_session))
            whole = min(first for first, _ in changed), max(last for _, last in changed)
            done &= renew_features(settings_of(context), about.symbol, [whole], narrator)
    return again, done


def _days(start: str, end: str) -> tuple[date, date]:
    from emp.arguments import days_of

    return days_of(start, end, names=("--start", "--end"))
