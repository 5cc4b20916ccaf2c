"""Which page of docs/runbooks says what to do about a finding.

What belongs here: which code is on which check's page. What does not: the pages, how a place is
written (market_data/runbook_places.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from market_data.runbook_places import Places

_PAGES = {
    "schema": "schema not_judged schema_drift",
    "coverage": "no_data coverage_error coverage_low no_score row_count below_expectation",
    "staleness": "stale outdated score_outdated rules_changed fetched_in_future",
    "drift": "drift drift_outlier score_shift",
    "duplicates": "duplicate_rows contradiction",
    "ohlc": "ohlc not_finite not_positive negative_volume future price_range not_a_session "
    "outside_session off_grid unreadable inconsistent",
    "price_sanity": "jump unit_error split_in_part flat_run repeated_bar suspected_missing_split "
    "splits_disputed",
    "false_ticks": "false_tick wick",
    "volume": "volume zero_volume volume_missing",
    "consistency": "consistency adjustment_chain phantom_dividend",
    "macro": "release_not_announced last_asked_long_before release_moved no_value_ever "
    "value_without_event value_overdue value_revised value_withdrawn event_missing "
    "event_withdrawn event_outdated",
    "quarantine": "not_kept no_longer_refused refused_otherwise refused_shift",
    "features": "features_missing features_outdated features_redefined feature_nulls feature_shift",
    "predictions": "predictions_missing predictions_outdated predictions_redefined "
    "predictions_superseded predictions_without_value",
}


def page_of_check(check: str) -> str:
    """The page of a check: its name in docs/runbooks, with .md."""
    return f"{_named(check)}.md"


def page_of(code: str, check: str = "") -> str:
    """The page and the place in it of a finding's code, for instance check-drift.md#drift.

    Args:
        code: of the finding.
        check: that found it, for codes that no page names.
    """
    return _PLACES.of(code, _named(check or code))


def page_of_all(codes: Sequence[str], check: str) -> str:
    """The page of what one check found: with the place of a single code, without of several."""
    return _PLACES.of_all(codes, _named(check)) or page_of_check(check)


def _named(check: str) -> str:
    return f"check-{check.replace('_', '-')}"


_PLACES = Places({_named(check): codes for check, codes in _PAGES.items()})
