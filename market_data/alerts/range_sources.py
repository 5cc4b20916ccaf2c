"""From the summary of a run to looks at sessions that failed and are not told one by one.

What belongs here: one alert per asset and check for the failures that a run over a range has no
room to record. What does not: which are recorded (emp_assets/recording.py), sessions that are
(sources.py).

Its sessions run from the first to the last of those that were left out, so that a window that moves
on is no news as long as nothing new is left out. A check speaks for every symbol of its sessions:
a summary that covers them and leaves out none ends the alert, in one run or in several.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

from market_data.alerts.alert import (
    CHECK_RUNBOOK,
    CHECK_RUNBOOKS,
    Alert,
    Kind,
    Severity,
    Sighting,
    Trouble,
)
from market_data.alerts.facts import AssetTerms, CheckFact, UntoldFact
from market_data.alerts.scopes import MarketDays, every_day, mending, sightings_of_failure

_RANGE = "range"
_DAY = timedelta(days=1)


def is_range(alert: Alert) -> bool:
    """Whether an alert is about sessions of a check that were not told one by one."""
    return alert.fingerprint.startswith(_prefix(alert.trouble.asset, alert.trouble.check))


def sightings_of_untold(
    summary: CheckFact,
    terms: AssetTerms,
    run_id: str,
    live: Mapping[str, Alert],
    *,
    spoken: Collection[str] | None = None,
    days: MarketDays = every_day,
) -> Iterator[Sighting]:
    """What a summary says of sessions without a record of their own.

    Args:
        summary: of the run.
        terms: of its asset.
        run_id: of the run.
        live: alerts that are not closed, by fingerprint.
        spoken: checks that the run speaks for; None: every one of the asset.
        days: on which there was anything to do.
    """
    left_out = {fact.check: fact for fact in summary.untold}
    for fact in summary.untold:
        prefix = _prefix(summary.asset, fact.check)
        trouble = _trouble(summary, fact, terms, run_id)
        seen = Sighting(f"{prefix}{fact.first}..{fact.last}", summary.at, trouble)
        yield from sightings_of_failure(seen, prefix, (), live)
    if summary.covers is None:
        return
    for alert in live.values():
        check = alert.trouble.check
        if alert.trouble.asset != summary.asset or not is_range(alert):
            continue
        if spoken is not None and check not in spoken:
            continue
        for well in _around(summary.covers, left_out.get(check)):
            mended = mending(alert, well, (), summary.at, days)
            if mended is not None:
                yield mended


def _around(covers: tuple[date, date], left_out: UntoldFact | None) -> Iterator[tuple[date, date]]:
    """The sessions of a summary of which none was left out."""
    if left_out is None:
        yield covers
        return
    if covers[0] < left_out.first:
        yield covers[0], left_out.first - _DAY
    if left_out.last < covers[1]:
        yield left_out.last + _DAY, covers[1]


def _prefix(asset: str, check: str) -> str:
    return f"check|{asset}|{check}|{_RANGE}|"


def _trouble(summary: CheckFact, fact: UntoldFact, terms: AssetTerms, run_id: str) -> Trouble:
    ways = f"{summary.covers[0]} to {summary.covers[1]}" if summary.covers else "its run"
    return Trouble(
        kind=Kind.CHECK,
        severity=Severity.ERROR if fact.errors else Severity.WARN,
        group=summary.asset,
        title=f"{fact.check} of {summary.asset} failed in {fact.failed:,} sessions of "
        f"{fact.sessions:,}, {fact.errors:,} in error",
        detail=f"{fact.findings:,} findings in {ways}; {fact.untold:,} of these sessions have no "
        f"alert of their own: emp quality summary {summary.asset} --start {fact.first} "
        f"--end {fact.last}",
        asset=summary.asset,
        check=fact.check,
        asset_group=terms.group or summary.asset.split("/", maxsplit=1)[0],
        owners=terms.owners,
        sessions=(fact.first, fact.last),
        run_id=run_id,
        runbook=CHECK_RUNBOOKS.get(fact.check, CHECK_RUNBOOK),
    )
