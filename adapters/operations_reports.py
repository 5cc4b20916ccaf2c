"""Reports on operations: made of an installation's stores, kept, and told to whoever listens.

What belongs here: gathering what they are made from, where they go. What does not: what they say
(market_data/operations), Dagster's way to them (resources/operations_reports.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.operations_limits import load_operations_limits
from adapters.operations_opening import Operations
from adapters.retention import load_data_retention
from adapters.settings import Settings
from market_data.alerts.alert import Alert, Phase
from market_data.operations.account import Account
from market_data.operations.data_retention import NAME as RETENTION
from market_data.operations.evidence import Evidence
from market_data.operations.limits import OperationsLimits
from market_data.operations.reports import FORMER, MAKERS
from market_data.pipeline.observing import observe
from market_data.pipeline.platform import Platform
from market_data.pipeline.retaining import with_history
from market_data.ports import Event
from market_data.ports.event_results import OperationsReport
from market_data.ports.operations import Refused


def gather(platform: Platform, operations: Operations, limits: OperationsLimits) -> Evidence:
    """What there is to be seen of an installation now."""
    now, reports = platform.clock.now(), operations.reports
    waiting = operations.quarantine.reasons(Refused(statuses=["open"]))
    return observe(
        platform,
        window=limits.slo.window,
        deliveries=operations.outbox.deliveries(since=now - limits.latency.window),
        quarantined=int(waiting["rows"].sum()),
        open_alerts=sum(_counts(alert) for alert in operations.alerts.newest()),
        former=[report for name in FORMER for report in reports.newest(name)],
    )


def make_reports(
    settings: Settings, platform: Platform, operations: Operations, names: Sequence[str]
) -> list[Account]:
    """Make some reports of one look, keep them, and tell them to whoever listens.

    Args:
        settings: say where the limits are.
        platform: configuration and ports.
        operations: ports of the operations database.
        names: of the reports, see `market_data.operations.reports.MAKERS`.

    Raises:
        ConfigurationError: config/operations.yaml or config/retention.yaml is wrong.
    """
    limits = load_operations_limits(settings)
    seen = gather(platform, operations, limits)
    if RETENTION in names:
        seen = with_history(platform, load_data_retention(settings), seen)
    made = [MAKERS[name](seen, limits) for name in names]
    for account in made:
        operations.reports.keep(account.to_keep(), events=[_event(account)])
    return made


def _counts(alert: Alert) -> bool:
    """Whether an open alert is one to look at; one about these reports would keep itself open."""
    return alert.phase is Phase.OPEN and not alert.trouble.asset.startswith("operations/")


def _event(account: Account) -> Event:
    result = OperationsReport(
        report=account.name,
        status=account.grade.value,
        body=account.to_json(),
    )
    return Event(result, account.at)
