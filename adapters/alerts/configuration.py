"""Reads config/alerts.yaml, and what the environment changes of it.

What belongs here: the file to rules, with an error that names the key; OPERATIONS_ALERT_ROUTES.
What does not: the meaning of the rules (market_data/alerts/rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from adapters.alerts.settings import AlertSettings
from adapters.configuration import own_or_shipped, read_yaml
from adapters.runbooks import linked_runbooks
from adapters.settings import Settings
from adapters.variables import read
from market_data.alerts.alert import Severity
from market_data.alerts.rules import AlertRules, RouteRules, parse_rules
from market_data.errors import ConfigurationError

_VARIABLE = "OPERATIONS_ALERT_ROUTES"
_NO_SECRETS = "url", "token", "password", "routing_key", "webhook"
"""Keys that a route has not: what they would hold lies in a variable."""


def load_alert_rules(settings: Settings, changes: AlertSettings | None = None) -> AlertRules:
    """The rules of an installation.

    Args:
        settings: say where the file is.
        changes: what the environment says; read from it where None.

    Returns:
        The rules; `runbooks` is a URL, that of the shipped pages' folder where no other is given.

    Raises:
        ConfigurationError: naming the file or the variable, the key, and what is wrong.
    """
    path = own_or_shipped(settings, "alerts.yaml")
    content = read_yaml(path)
    try:
        rules = parse_rules(content)
    except ValidationError as error:
        # Not chained: the text of the error repeats values, which may be secrets out of place.
        raise ConfigurationError(f"{path}: {_told(error, content)}") from None
    given = changes if changes is not None else read(AlertSettings)
    updates: dict[str, Any] = {}
    runbooks = rules.runbooks if given.runbooks is None else given.runbooks
    # Without a folder the path still says to a person what to look for.
    updates["runbooks"] = linked_runbooks(runbooks) or runbooks
    if given.ui is not None:
        updates["ui"] = given.ui
    if given.alert_routes is not None:
        updates["routes"] = _chosen(rules, given.alert_routes)
    return rules.model_copy(update=updates)


def _chosen(rules: AlertRules, wanted: Sequence[str]) -> tuple[RouteRules, ...]:
    by_name = {route.name: route for route in rules.routes}
    chosen: dict[str, set[Severity]] = {}
    for entry in wanted:
        severity, mark, name = entry.rpartition(":")
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise ConfigurationError(
                f"{_VARIABLE}: there is no route {name!r} in alerts.yaml; there are: {known}"
            )
        takes = {Severity(severity)} if mark else set(by_name[name].severities)
        chosen[name] = chosen.get(name, set()) | takes
    return tuple(
        route.model_copy(update={"severities": tuple(sorted(chosen[route.name]))})
        for route in rules.routes
        if route.name in chosen
    )


def _told(error: ValidationError, content: dict[str, Any]) -> str:
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return "; ".join(_problem(e["loc"], e["msg"], content) for e in found)


def _problem(place: Sequence[int | str], message: str, content: dict[str, Any]) -> str:
    """A problem with its key as a person finds it: routes.slack.url_env, not routes.1.slack."""
    parts = [str(part) for part in place]
    if len(parts) > 1 and parts[0] == "routes" and isinstance(place[1], int):
        entry = content["routes"][place[1]]
        name = entry.get("name") if isinstance(entry, dict) else None
        # Behind the number pydantic puts the type of the route.
        parts = ["routes", str(name or place[1]), *parts[3:]]
        if parts[-1] in _NO_SECRETS:
            return (
                f"{'.'.join(parts)}: no secret stands in this file: give {parts[-1]}_env the name "
                "of the environment variable that holds it"
            )
    return f"{'.'.join(parts) or 'file'}: {message.removeprefix('Value error, ')}"
