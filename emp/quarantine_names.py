"""Names by which refused rows are looked for, and which of them exist.

What belongs here: telling a name that happens to have no row from one that is misspelt.
What does not: looking for rows (adapters/operations/quarantine.py), options (emp/commands).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from market_data.curation.disagreement import DRIFT
from market_data.curation.placement import REASONS as MISPLACED
from market_data.curation.preparation import CONTRADICTION
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import DUPLICATE
from market_data.ports import Refused
from market_data.schemas import PRICES
from market_data.validation import REASONS as RULES

READERS = (
    "ambiguous_names",
    "bad_time",
    *(f"{what}_{price}" for what in ("bad", "missing") for price in PRICES),
    *(f"bad_{name}" for name in ("adj_close", "volume", "vwap", "trades")),
    "null_bar",
    "null_price",
    "unreadable",
    DUPLICATE,
)
"""Reasons for which readers refuse a bar; some have further ones of their own."""
ACTIONS = (
    "bad_date",
    "bad_kind",
    "bad_known_at",
    "bad_value",
    "implausible_dividend",
    "implausible_split",
    "not_adjustable",
    "repeated",
    "unknown_symbol",
)
"""Reasons for which a split or dividend is refused."""
STATUSES = ("open", "resolved", "replayed", "dropped")
_MOST = 20
"""Names that a message repeats."""


def statuses_of(asked: Sequence[str]) -> list[str] | None:
    """The statuses that are meant: open where none is named, None for all.

    Raises:
        ConfigurationError: there is no such status.
    """
    if "all" in asked:
        return None
    if unknown := [status for status in asked if status not in STATUSES]:
        raise ConfigurationError(f"--status {unknown[0]}; it takes: {', '.join(STATUSES)}, all")
    return list(asked) or [STATUSES[0]]


def demand_known(platform: Platform, wanted: Refused) -> None:
    """Refuse names that no row and no part of the configuration bears.

    Args:
        platform: its universe and its quarantine know names.
        wanted: vendors, symbols and reasons of rows.

    Raises:
        ConfigurationError: for the first one, with the known ones.
    """
    groups = platform.quarantine.reasons(Refused())
    found = {r for listed in groups["reasons"] for r in listed.split(",")}
    vendors = {v.name for v in platform.universe.vendors} | set(groups["vendor"])
    _demand("vendor", wanted.vendors, vendors)
    known = {*RULES, *MISPLACED, CONTRADICTION, DRIFT, *READERS, *ACTIONS, *found}
    _demand("reason", wanted.reasons, known)
    symbols = {i.symbol for i in platform.universe.instruments}
    strangers = [s for s in wanted.symbols or () if s not in symbols]
    if strangers:
        # Rows stay when their symbol has left the universe.
        rows = platform.quarantine.entries(Refused(symbols=strangers))
        _demand("symbols", strangers, {*symbols, *rows["symbol"]})


def _demand(option: str, names: Sequence[str] | None, known: Iterable[str]) -> None:
    there = sorted(name for name in known if name)
    for name in names or ():
        if name not in there:
            near = get_close_matches(name, there, n=_MOST)
            listed = [*near, *(n for n in there if n not in near)]
            more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
            raise ConfigurationError(
                f"--{option} {name}: no refused row and no part of the configuration is called "
                f"that; there are: {', '.join(listed[:_MOST])}{more}"
            )
