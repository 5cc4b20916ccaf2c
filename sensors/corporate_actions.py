"""Rebuilds what a new split or dividend changes, and nothing else.

Where a source states an action that was not known before, or states it otherwise, the stored bars
of its symbol are compared with what curation makes of the raw logs now. Each unbroken range of
sessions that differs becomes one ranged run of curation, checks and scores for that symbol alone,
and of the features in which these bars have a part, where some are stored. A split that changes no
stored bar, but features over its ex-date, causes a run of these.
Bars that a run has curated since it landed the action differ in nothing, and cause no run. The same
is done where a vendor that tells splits has answered about a symbol whose daily bars are flagged
since nobody had told its splits: that there was none is news too.

A range is asked for once. Where its run fails, the check 'staleness' of the curated bars tells of
the sessions, and 'emp coverage --outdated' lists them.
"""

import json
from collections.abc import Iterable, Mapping
from time import monotonic

import dagster as dg

from adapters.automation import load_automation
from jobs.automation.limits import run_limits
from jobs.rebuild import NAME, features_request, rebuild_request
from market_data.pipeline.features_touched import touched
from market_data.pipeline.newly_told import newly_told
from market_data.pipeline.outdated import Outdated, outdated
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_features import stale_at_splits
from resources.platform import PlatformResource
from sensors.cursors import remembered

EVERY_SECONDS = 60
VERSION = 3
SECONDS_PER_TICK = 20.0
"""After this long no further symbol is begun. Dagster gives a tick a minute."""


@dg.sensor(
    name="rebuild_after_corporate_actions",
    job_name=NAME,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=__doc__,
)
def rebuild_after_corporate_actions(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for the runs of the symbols that something new is known of."""
    opened = platform.open()
    seen, waiting, before = _remembered(context.cursor)
    news = dict(opened.actions.news(seen).iter_rows())
    seen = max([seen, *news.values()])
    told, asked = newly_told(opened, before)
    # Below zero, so that no key of a run is one that the action log's numbers make.
    waiting |= dict.fromkeys(told, -asked)
    waiting |= news
    if not waiting and asked == before:
        return dg.SkipReason("no new corporate action")
    checks = context.repository_def.asset_graph.asset_check_keys if context.repository_def else ()
    requests: list[dg.RunRequest] = []
    limits = run_limits(load_automation(platform.settings()), again=1)
    began = monotonic()
    for symbol, number in list(waiting.items()):
        requests += _requests(opened, checks, symbol, number, limits)
        del waiting[symbol]
        if monotonic() - began > SECONDS_PER_TICK:
            break
    # Dagster keeps the cursor after it has launched the runs; a tick that breaks off before is
    # repeated, and its run keys launch nothing twice.
    cursor = json.dumps({"version": VERSION, "seen": seen, "waiting": waiting, "asked": asked})
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    reason = f"{len(waiting)} symbols wait" if waiting else "no stored bar is outdated"
    return dg.SensorResult(skip_reason=reason, cursor=cursor)


def _remembered(cursor: str | None) -> tuple[int, dict[str, int], int]:
    """The newest number seen, symbols that a tick had no time for, the newest answer looked at.

    The symbols are there with the numbers that make their runs' keys. Cursors before version 3
    have a time for the answer: all answers are looked at once more then, which costs one look.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = remembered(cursor, VERSION)
    if not kept:
        return 0, {}, 0
    waiting = {str(s): int(n) for s, n in kept["waiting"].items()}
    asked = int(kept["asked"]) if kept.get("version") == VERSION else 0
    return int(kept["seen"]), waiting, asked


def _requests(
    platform: Platform,
    checks: Iterable[dg.AssetCheckKey],
    symbol: str,
    number: int,
    limits: Mapping[str, str],
) -> list[dg.RunRequest]:
    """The runs of a symbol; none of one that was taken out of the universe."""
    if symbol not in {i.symbol for i in platform.universe.instruments}:
        return []
    # Sessions that a check has held back are left to whoever looks at them.
    bars = outdated(platform, symbol, stored_only=True)
    under = [found for found in bars if _under_features(platform, symbol, found)]
    of_bars = [
        rebuild_request(
            checks,
            symbol,
            found,
            run_key=f"{symbol} {found.timeframe} {found.first} {found.last} {number}",
            limits=limits,
            features=found in under,
        )
        for found in bars
    ]
    return of_bars + [
        features_request(
            checks,
            found,
            run_key=f"{symbol} features {found.first} {found.last} {number}",
            limits=limits,
        )
        for found in stale_at_splits(platform, symbol, under)
    ]


def _under_features(platform: Platform, symbol: str, found: Outdated) -> bool:
    """Whether stored features are made of these bars."""
    about = touched(platform, symbol, [(found.first, found.last)])
    return any(found.timeframe in one.timeframes for one in about)
