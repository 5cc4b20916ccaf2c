"""The parsed form of config/alerts.yaml: what is told to whom, and when.

What belongs here: the records, their validation, and the questions that the machine asks of them.
What does not: reading the file and the environment (adapters/alerts/configuration.py), sending.

No secret stands in the file: a route names the environment variable that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market_data.alerts.alert import Kind, Level, Severity, Trouble
from market_data.durations import Duration

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""Name of an environment variable: what it holds must not stand here."""
Patterns: TypeAlias = tuple[str, ...]
LONGEST_TIMEOUT = timedelta(seconds=40)
"""No attempt takes longer: with the 15 seconds that some routes get on top it fits the minute that
Dagster gives a tick."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RouteRules(_Strict):
    """What every route has: its name, and what it is told of.

    Attributes:
        name: of the route; never changed while it has something to send.
        severities: it is told of these.
        kinds: it is told of these sorts of trouble; none named: of all.
        groups: it is told of these asset groups or assets, such as curated or raw/yahoo_*; none
            named: of all, and of what is about no asset.
        owners: it is told of assets of these owners; none named: of all.
        recovered: whether it is told that a trouble is over.
        timeout: how long a first attempt may take; later ones get more (adapters/alerts/sender.py).
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    severities: tuple[Severity, ...] = (Severity.WARN, Severity.ERROR)
    kinds: tuple[Kind, ...] = ()
    groups: Patterns = ()
    owners: Patterns = ()
    recovered: bool = True
    timeout: Annotated[Duration, Field(gt=timedelta(0), le=LONGEST_TIMEOUT)] = timedelta(seconds=10)

    def takes(self, trouble: Trouble) -> bool:
        """Whether the route is told of a trouble; never of itself."""
        if trouble.kind is Kind.ROUTE and trouble.group == route_group(self.name):
            return False
        if trouble.severity not in self.severities:
            return False
        if self.kinds and trouble.kind not in self.kinds:
            return False
        names = [name for name in (trouble.asset_group, trouble.asset) if name]
        if self.groups and not _any_match(names, self.groups):
            return False
        return not self.owners or _any_match(trouble.owners, self.owners)


class ConsoleRoute(RouteRules):
    """Lines on standard error: of the daemon's log, or of the terminal."""

    type: Literal["console"]


class WebhookRoute(RouteRules):
    """A JSON document by POST; `token_env` is sent as a bearer token."""

    type: Literal["webhook"]
    url_env: VariableName
    token_env: VariableName | None = None


class SlackRoute(RouteRules):
    """An incoming webhook of Slack, or of a server that speaks like it."""

    type: Literal["slack"]
    url_env: VariableName


class PagerDutyRoute(RouteRules):
    """Events API v2 of PagerDuty; `url` replaces its address, for a proxy."""

    type: Literal["pagerduty"]
    routing_key_env: VariableName
    url: str = "https://events.pagerduty.com/v2/enqueue"


class EmailRoute(RouteRules):
    """E-mail over SMTP."""

    type: Literal["email"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_env: VariableName | None = None
    sender: str
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _login(self) -> EmailRoute:
        if (self.username is None) != (self.password_env is None):
            raise ValueError("username and password_env go together")
        if self.username is not None and self.security == "none":
            raise ValueError("a password is not sent in the clear: set security to starttls or tls")
        return self


class KafkaRoute(RouteRules):
    """A topic of the brokers of KAFKA_BOOTSTRAP_SERVERS."""

    type: Literal["kafka"]
    topic: str = "telemetry.alerts"


Route: TypeAlias = Annotated[
    ConsoleRoute | WebhookRoute | SlackRoute | PagerDutyRoute | EmailRoute | KafkaRoute,
    Field(discriminator="type"),
]


class LevelRules(_Strict):
    """The level of a trouble that warns, and of one that is an error."""

    warn: Level = Level.SEV3
    error: Level = Level.SEV2


class Watch(_Strict):
    """From when on the platform itself counts as in trouble.

    Attributes:
        freshness: whether the age of stored bars is watched between runs.
        stuck_backfill: a backfill without a run that moves for so long.
        silent_daemon: a daemon without a heartbeat for so long.
        failed_ticks: so many failed ticks of a sensor or schedule in a row.
        route_down: a route that takes nothing for so long; the others are told.
        parts: whether cache, Kafka and latencies are watched, by config/operations.yaml.
    """

    freshness: bool = True
    stuck_backfill: Duration = timedelta(hours=1)
    silent_daemon: Duration = timedelta(minutes=5)
    failed_ticks: Annotated[int, Field(ge=1, le=20)] = 2
    route_down: Duration = timedelta(minutes=10)
    parts: bool = True


class AlertRules(_Strict):
    """The whole file.

    Attributes:
        collect: after a message about a group, further ones about it are collected for so long.
        late_data: how long a trouble with a young session may mend itself before it is told, by
            name of the check, or by kind.
        young: sessions that ended at most so long ago count as young.
        levels: by kind of trouble.
        watch: limits of the platform's own troubles.
        runbooks: address of the folder of the runbooks, for the links of messages.
        ui: address of the Dagster UI, for links to runs; empty for none.
        routes: where messages go.
    """

    collect: Duration = timedelta(minutes=5)
    late_data: Mapping[str, Duration] = Field(default_factory=dict)
    young: Duration = timedelta(days=2)
    levels: Mapping[Kind, LevelRules] = Field(default_factory=dict)
    watch: Watch = Watch()
    runbooks: str = "docs/runbooks"
    ui: str = ""
    routes: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> AlertRules:
        names = [route.name for route in self.routes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"routes: the name {twice[0]!r} is given twice")
        return self

    def level(self, trouble: Trouble) -> Level:
        """How fast somebody has to come."""
        rule = self.levels.get(trouble.kind, LevelRules())
        return rule.error if trouble.severity is Severity.ERROR else rule.warn

    def patience(self, trouble: Trouble, at: datetime) -> timedelta:
        """How long a trouble may mend itself before it is told."""
        keys = (trouble.check, str(trouble.kind))
        wait = next((self.late_data[key] for key in keys if key in self.late_data), timedelta(0))
        if trouble.sessions is None:
            # Without a session nobody knows whether it is young; a check may be about any.
            return timedelta(0) if trouble.check else wait
        return wait if at.date() - trouble.sessions[1] <= self.young else timedelta(0)

    def page(self, trouble: Trouble) -> str:
        """Where it stands what to do; empty where no page says so."""
        if not trouble.runbook:
            return ""
        name, mark, place = trouble.runbook.partition("#")
        return f"{self.runbooks.rstrip('/')}/{name}.md{mark}{place}"

    def run_page(self, trouble: Trouble) -> str:
        """The run in the UI; empty where there is none."""
        return f"{self.ui.rstrip('/')}/runs/{trouble.run_id}" if self.ui and trouble.run_id else ""

    def routes_for(self, trouble: Trouble) -> list[str]:
        """Names of the routes that are told of a trouble."""
        return [route.name for route in self.routes if route.takes(trouble)]


@dataclass(frozen=True)
class Silence:
    """Troubles that nobody wants to hear of for a while.

    Attributes:
        number: names it.
        pattern: of the fingerprint, or of the asset, with * and ?.
        until: when it ends.
        author: who asked for it.
        reason: why.
    """

    number: int
    pattern: str
    until: datetime
    author: str
    reason: str

    def covers(self, fingerprint: str, trouble: Trouble, now: datetime) -> bool:
        """Whether it holds back the telling of a trouble now."""
        if now >= self.until:
            return False
        return _any_match((fingerprint, trouble.asset, trouble.group), (self.pattern,))


def route_group(name: str) -> str:
    """The group of the troubles of a route."""
    return f"route {name}"


def _any_match(names: tuple[str, ...] | list[str], patterns: Patterns) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def parse_rules(content: Mapping[str, Any]) -> AlertRules:
    """The rules of a mapping.

    Raises:
        ValidationError: pydantic's; `adapters/alerts/configuration.py` makes a message of it.
    """
    return AlertRules.model_validate(content)
