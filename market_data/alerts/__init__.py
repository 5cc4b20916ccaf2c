"""Alerts: what is worth a message, when it is sent, and what it says.

What belongs here: troubles and how they are made of facts (sources.py, platform_sources.py), the
states of an alert (machine.py), what is told when (telling.py), messages (message.py), and the
parsed form of config/alerts.yaml (rules.py). All of it is pure: facts and a moment in, alerts and
messages out.
What does not: reading Dagster (sensors), keeping and sending (adapters/operations,
adapters/alerts).
"""

from market_data.alerts.alert import (
    RUNBOOKS,
    Alert,
    Kind,
    Level,
    Phase,
    Severity,
    Sighting,
    Trouble,
)
from market_data.alerts.machine import observe
from market_data.alerts.message import Message, State, probe_message
from market_data.alerts.rules import AlertRules, Silence
from market_data.alerts.telling import Told, tell

__all__ = [
    "RUNBOOKS",
    "Alert",
    "AlertRules",
    "Kind",
    "Level",
    "Message",
    "Phase",
    "Severity",
    "Sighting",
    "Silence",
    "State",
    "Told",
    "Trouble",
    "observe",
    "probe_message",
    "tell",
]
