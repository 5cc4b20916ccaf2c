"""The front door: Python client and command line.

What belongs here: the names that `import emp` offers, loaded when they are used, so that a notebook
pays for what it calls and never imports Dagster.
What does not: what they do (emp/client.py and the files beside it), commands (emp/commands).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emp.budgets import get_circuit_breaker_stats, get_request_budget
    from emp.client import get_coverage, get_curated_bars
    from emp.features import get_features_for_inference, get_features_for_training
    from emp.health import get_data_quality_summary, get_dataset_health
    from emp.judgements import get_findings, get_quality_scores
    from emp.lake import get_lake_history, get_lake_rows, get_lake_tables
    from emp.macro import get_macro_bias, get_macro_events
    from emp.reference import get_instruments, get_trading_sessions

__all__ = [
    "get_circuit_breaker_stats",
    "get_coverage",
    "get_curated_bars",
    "get_data_quality_summary",
    "get_dataset_health",
    "get_features_for_inference",
    "get_features_for_training",
    "get_findings",
    "get_instruments",
    "get_lake_history",
    "get_lake_rows",
    "get_lake_tables",
    "get_macro_bias",
    "get_macro_events",
    "get_quality_scores",
    "get_request_budget",
    "get_trading_sessions",
]
_MODULES = {
    "get_circuit_breaker_stats": "emp.budgets",
    "get_data_quality_summary": "emp.health",
    "get_dataset_health": "emp.health",
    "get_features_for_inference": "emp.features",
    "get_features_for_training": "emp.features",
    "get_findings": "emp.judgements",
    "get_instruments": "emp.reference",
    "get_lake_history": "emp.lake",
    "get_lake_rows": "emp.lake",
    "get_lake_tables": "emp.lake",
    "get_macro_bias": "emp.macro",
    "get_macro_events": "emp.macro",
    "get_quality_scores": "emp.judgements",
    "get_request_budget": "emp.budgets",
    "get_trading_sessions": "emp.reference",
}


def __getattr__(name: str) -> Any:
    """Load one of the client's functions."""
    if name not in __all__:
        raise AttributeError(f"module 'emp' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "emp.client")), name)


def __dir__() -> list[str]:
    """The names on offer."""
    return sorted(__all__)
