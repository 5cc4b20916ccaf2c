"""From a run that has ended to looks at things: its checks, its steps, the run as a whole.

What belongs here: fingerprints, and what counts as mended by a run.
What does not: reading Dagster (sensors/run_facts.py), the rest of the platform
(platform_sources.py).

A check speaks for a session whatever the run asked for, so its verdict mends what it opened. A
step speaks for its sessions and symbols alone: its failure is mended by successes that cover both,
in one run or in several, so that a run of one symbol mends nothing for the others. What fails
within a failure that is known is a part of that. A schedule asks for a window that moves on with
every tick: what fails of it is one trouble, whatever the window, until the schedule has its way
again. Whether the sessions that it passed over are there, the checks say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from market_data.alerts.alert import (
    CHECK_RUNBOOK,
    CHECK_RUNBOOKS,
    NAMED_SYMBOLS,
    RUNBOOKS,
    Alert,
    Kind,
    Severity,
    Sighting,
    Trouble,
)
from market_data.alerts.facts import AssetTerms, CheckFact, RunFact, StepFact
from market_data.alerts.range_sources import is_range, sightings_of_untold
from market_data.alerts.scopes import (
    OF_SCHEDULE,
    MarketDays,
    every_day,
    mending,
    scope_digest,
    sightings_of_failure,
)

RUN_SUMMARY = "run_summary"
_READINESS = "operations/readiness"
TOLD_BY_LOOKS = frozenset({(_READINESS, "cache_health"), (_READINESS, "kafka_readiness")})
"""Assets and checks of which the looks at the watched parts tell sooner, thing by thing."""


def sightings_of_run(
    run: RunFact,
    live: Mapping[str, Alert],
    *,
    parts_watched: bool = True,
    days: MarketDays = every_day,
) -> list[Sighting]:
    """Every look that a run gives.

    Args:
        run: the run.
        live: alerts that are not closed, by fingerprint.
        parts_watched: whether somebody looks at the watched parts between runs; what they tell is
            not told twice then, and what a run had told before that is closed.
        days: on which there was anything to do: a success need not speak for the others.
    """
    return [
        *_checks(run, live, TOLD_BY_LOOKS if parts_watched else frozenset(), days),
        *_steps(run, live, days),
        *_whole(run, live, days),
    ]


def check_fingerprint(asset: str, check: str, session: date | None) -> str:
    """Names a check of an asset, of one session where it is about one."""
    return f"check|{asset}|{check}" + (f"|{session}" if session else "")


def _checks(
    run: RunFact,
    live: Mapping[str, Alert],
    told_elsewhere: Collection[tuple[str, str]],
    days: MarketDays,
) -> Iterator[Sighting]:
    told_by_session = {(c.asset, c.check) for c in run.checks if c.session is not None}
    seen: set[str] = set()
    for check in run.checks:
        if check.check == RUN_SUMMARY:
            continue
        if check.session is None and (check.asset, check.check) in told_by_session:
            continue
        fingerprint = check_fingerprint(check.asset, check.check, check.session)
        if (check.asset, check.check) in told_elsewhere:
            if fingerprint in live:
                yield Sighting(fingerprint, check.at)
            continue
        seen.add(fingerprint)
        yield Sighting(fingerprint, check.at, None if check.passed else _of_check(check, run))
    for check in run.checks:
        if check.check == RUN_SUMMARY:
            yield from _summary(check, run, live, days)
            yield from _untold(check, run, live, days)
            yield from _cleared_by(check, run, live, seen)


def _summary(
    check: CheckFact, run: RunFact, live: Mapping[str, Alert], days: MarketDays
) -> Iterator[Sighting]:
    """A summary is told where it blocks, or where no session says what it says."""
    symbols = run.symbols.get(f"{check.asset.replace('/', '__')}__checks", ())
    told = _told_by_session(check, run)
    span = f"{check.covers[0]}..{check.covers[1]}" if check.covers else ""
    prefix = f"check|{check.asset}|{RUN_SUMMARY}|"
    if not check.passed and (check.error or not (told or check.untold)):
        trouble = replace(
            _of_check(check, run), symbols=symbols[:NAMED_SYMBOLS], symbol_count=len(symbols)
        )
        seen = Sighting(f"{prefix}{span}|{scope_digest(symbols)}", check.at, trouble)
        yield from sightings_of_failure(seen, prefix, symbols, live)
        return
    speaks = () if check.passed else symbols
    for alert in live.values():
        if alert.fingerprint.startswith(prefix):
            mended = mending(alert, check.covers, speaks, check.at, days)
            if mended is not None:
                yield mended


def _untold(
    summary: CheckFact, run: RunFact, live: Mapping[str, Alert], days: MarketDays
) -> Iterator[Sighting]:
    """Sessions that failed and are not told one by one."""
    one = summary.covers is not None and summary.covers[0] == summary.covers[1]
    # A failing run of one session speaks for the checks that it was asked for alone.
    spoken = (
        None if summary.passed or not one else {c.check for c in run.checks if _own(c, summary)}
    )
    terms = run.terms.get(summary.asset, AssetTerms())
    yield from sightings_of_untold(summary, terms, run.run_id, live, spoken=spoken, days=days)


def _told_by_session(summary: CheckFact, run: RunFact) -> bool:
    """Whether the run says of a session what its summary complains of."""
    return any(c.asset == summary.asset and not c.passed and _own(c, summary) for c in run.checks)


def _own(check: CheckFact, summary: CheckFact) -> bool:
    """Whether a check is about a session of the run: it may tell of others next to it, too."""
    if check.session is None or summary.covers is None:
        return check.session is not None
    return summary.covers[0] <= check.session <= summary.covers[1]


def _cleared_by(
    summary: CheckFact, run: RunFact, live: Mapping[str, Alert], seen: Collection[str]
) -> Iterator[Sighting]:
    """Sessions that a summary covers and that no check of its run complained of are well.

    A run of a range records the failing sessions of every check. One of a single session records
    the checks that it was asked for alone: when its summary fails, any of the others may be why.
    """
    if summary.covers is None:
        return
    first, last = summary.covers
    if not summary.passed and (first == last or not _told_by_session(summary, run)):
        return
    for alert in live.values():
        trouble = alert.trouble
        if trouble.kind is not Kind.CHECK or trouble.asset != summary.asset:
            continue
        if trouble.sessions is None or trouble.check == RUN_SUMMARY or is_range(alert):
            continue
        if first <= trouble.sessions[0] <= last and alert.fingerprint not in seen:
            yield Sighting(alert.fingerprint, summary.at)


def _of_check(check: CheckFact, run: RunFact) -> Trouble:
    terms = run.terms.get(check.asset, AssetTerms())
    return Trouble(
        kind=Kind.CHECK,
        severity=Severity.ERROR if check.error else Severity.WARN,
        group=check.asset,
        title=f"{check.check} of {check.asset} failed",
        detail=check.detail,
        asset=check.asset,
        check=check.check,
        asset_group=terms.group or check.asset.split("/", maxsplit=1)[0],
        owners=terms.owners,
        sessions=(check.session, check.session) if check.session else check.covers,
        symbols=check.symbols[:NAMED_SYMBOLS],
        symbol_count=max(check.symbol_count, len(check.symbols)),
        rows=check.rows,
        run_id=run.run_id,
        runbook=check.page or CHECK_RUNBOOKS.get(check.check, CHECK_RUNBOOK),
    )


def _steps(run: RunFact, live: Mapping[str, Alert], days: MarketDays) -> Iterator[Sighting]:
    for step in run.steps:
        if step.blocked:
            # The check that blocks is told by itself.
            continue
        symbols = run.symbols.get(step.step, ())
        if step.error:
            trouble = _of_step(step, run, symbols)
            prefix = f"step|{step.step}|"
            seen = Sighting(f"{prefix}{_scope(run, symbols)}", step.at, trouble)
            yield from (
                [seen] if run.schedule else sightings_of_failure(seen, prefix, symbols, live)
            )
            continue
        for alert in live.values():
            if alert.fingerprint.startswith(f"step|{step.step}|"):
                yield from _mended(run, alert, symbols, step.at, days)


def _mended(
    run: RunFact, alert: Alert, symbols: tuple[str, ...], at: datetime, days: MarketDays
) -> Iterator[Sighting]:
    """What a success of these symbols mends of a failure of the same thing."""
    if _next_of(run, alert):
        yield Sighting(alert.fingerprint, at)
        return
    mended = mending(alert, run.sessions, symbols, at, days)
    if mended is not None:
        yield mended


def _scope(run: RunFact, symbols: Sequence[str]) -> str:
    """What a failure is about: a schedule, or sessions and symbols."""
    if run.schedule:
        return _by(run)
    span = f"{run.sessions[0]}..{run.sessions[1]}" if run.sessions else ""
    return f"{span}|{scope_digest(symbols)}"


def _by(run: RunFact) -> str:
    return f"{OF_SCHEDULE}{run.schedule}"


def _next_of(run: RunFact, alert: Alert) -> bool:
    """Whether the schedule whose run had failed asked for this one, of as late a session.

    The late repetition of an older run mends nothing of a newer one.
    """
    if not run.schedule or not alert.fingerprint.endswith(f"|{_by(run)}"):
        return False
    failed = alert.trouble.sessions
    return failed is None or (run.sessions is not None and failed[1] <= run.sessions[1])


def _of_step(step: StepFact, run: RunFact, symbols: tuple[str, ...]) -> Trouble:
    in_check = step.step.endswith("__checks")
    asset = step.step.removesuffix("__checks").replace("__", "/")
    known = asset in run.terms
    terms = run.terms.get(asset, AssetTerms())
    what = f"the checks of {asset} could not be run" if in_check else f"step {step.step} failed"
    return Trouble(
        kind=Kind.RUN,
        severity=Severity.ERROR,
        group=asset if known else run.job,
        title=what,
        detail=step.error,
        asset=asset if known else "",
        asset_group=terms.group,
        owners=terms.owners,
        sessions=run.sessions,
        symbols=symbols[:NAMED_SYMBOLS],
        symbol_count=len(symbols),
        run_id=run.run_id,
        runbook=RUNBOOKS[Kind.RUN],
    )


def _whole(run: RunFact, live: Mapping[str, Alert], days: MarketDays) -> Iterator[Sighting]:
    """The run itself: it failed without a step that did, or a later one succeeded."""
    if run.succeeded:
        for alert in live.values():
            # What a schedule asks for may change with the vendors that are on.
            if alert.fingerprint.startswith("run|") and _next_of(run, alert):
                yield Sighting(alert.fingerprint, run.at)
            elif alert.fingerprint.startswith(f"run|{run.job}|"):
                yield from _mended(run, alert, _all_symbols(run), run.at, days)
        return
    if run.cancelled or any(step.error or step.blocked for step in run.steps):
        return
    trouble = Trouble(
        kind=Kind.RUN,
        severity=Severity.ERROR,
        group=run.job,
        title=f"run of {run.job} failed",
        detail=run.error or "it ended without the failure of a step: its process may have died",
        sessions=run.sessions,
        symbols=_all_symbols(run)[:NAMED_SYMBOLS],
        symbol_count=len(_all_symbols(run)),
        run_id=run.run_id,
        runbook=RUNBOOKS[Kind.RUN],
    )
    prefix = f"run|{run.job}|"
    seen = Sighting(f"{prefix}{_scope(run, _all_symbols(run))}", run.at, trouble)
    yield from (
        [seen] if run.schedule else sightings_of_failure(seen, prefix, _all_symbols(run), live)
    )


def _all_symbols(run: RunFact) -> tuple[str, ...]:
    """Every symbol that any step was asked for; none where one was asked for all."""
    if any(not chosen for chosen in run.symbols.values()):
        return ()
    return tuple(sorted({symbol for chosen in run.symbols.values() for symbol in chosen}))
