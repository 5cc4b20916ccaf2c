"""What follows from a finding: for the data, the run, the readers and the alerts.

What belongs here: the table of consequences, and the functions that answer by it. What does not:
its words (effects.py), carrying them out (market_data/curation/curate.py, emp_assets, jobs),
finding (the validators).
"""

from __future__ import annotations

import polars as pl

from market_data.errors import MarketDataError
from market_data.quality.effects import Action, DataEffect, ReadersEffect, RunEffect
from market_data.quality.findings import ERROR, KEY, WARN


def _line(
    finding: str, codes: str, data: DataEffect, run: RunEffect, readers: ReadersEffect, alert: str
) -> Action:
    return Action(finding, frozenset(codes.split()), data, run, readers, alert)


ACTIONS: tuple[Action, ...] = (
    _line(
        "schema",
        "schema not_judged",
        DataEffect.REFUSE_FETCH,
        RunEffect.FAIL_STEP,
        ReadersEffect.NOTHING_NEW,
        ERROR,
    ),
    _line(
        "schema drift",
        "schema_drift",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
    _line(
        "invalid row",
        "ohlc not_finite not_positive negative_volume future price_range "
        "not_a_session outside_session off_grid unreadable inconsistent",
        DataEffect.QUARANTINE_ROW,
        RunEffect.BLOCK_ABOVE_REJECT_SHARE,
        ReadersEffect.NEVER_SERVED,
        ERROR,
    ),
    _line(
        "duplicate",
        "duplicate_rows contradiction",
        DataEffect.NEWEST_WINS,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        WARN,
    ),
    _line(
        "coverage",
        "no_data coverage_error coverage_low no_score",
        DataEffect.MARK_SESSION,
        RunEffect.BLOCK_ABOVE_BLOCK_SHARE,
        ReadersEffect.LEFT_OUT,
        ERROR,
    ),
    _line(
        "expectation",
        "row_count below_expectation",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
    _line(
        "drift, two vendors",
        "drift",
        DataEffect.MARK_SESSION,
        RunEffect.BLOCK_ABOVE_BLOCK_SHARE,
        ReadersEffect.LEFT_OUT,
        ERROR,
    ),
    _line(
        "drift, three vendors or more",
        "drift_outlier",
        DataEffect.QUARANTINE_ODD_VENDOR,
        RunEffect.GO_ON,
        ReadersEffect.NEVER_SERVED,
        ERROR,
    ),
    _line(
        "staleness",
        "stale outdated score_outdated rules_changed fetched_in_future",
        DataEffect.NONE,
        RunEffect.EXIT_IF_ASKED,
        ReadersEffect.TOLD,
        ERROR,
    ),
    _line(
        "price in another unit, or of other shares",
        "unit_error split_in_part",
        DataEffect.MARK_ROW,
        RunEffect.GO_ON,
        ReadersEffect.LEFT_OUT,
        ERROR,
    ),
    _line(
        "flag",
        "jump false_tick wick flat_run repeated_bar volume zero_volume volume_missing consistency",
        DataEffect.FLAG_ROW,
        RunEffect.GO_ON,
        ReadersEffect.FLAGGED,
        WARN,
    ),
    _line(
        "oddity",
        "score_shift",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        WARN,
    ),
    _line(
        "disputed split",
        "splits_disputed",
        DataEffect.MARK_SESSION,
        RunEffect.GO_ON,
        ReadersEffect.LEFT_OUT,
        WARN,
    ),
    _line(
        "suspected action",
        "suspected_missing_split phantom_dividend adjustment_chain",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        WARN,
    ),
    _line(
        "macro release",
        "release_not_announced last_asked_long_before release_moved no_value_ever "
        "value_without_event value_overdue value_revised value_withdrawn event_missing "
        "event_withdrawn event_outdated",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
    _line(
        "refused rows",
        "not_kept no_longer_refused refused_otherwise refused_shift",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
    _line(
        "features",
        "features_missing features_outdated features_redefined feature_nulls feature_shift",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
    _line(
        "predictions",
        "predictions_missing predictions_outdated predictions_redefined predictions_superseded "
        "predictions_without_value",
        DataEffect.NONE,
        RunEffect.GO_ON,
        ReadersEffect.UNCHANGED,
        ERROR,
    ),
)
"""Every line of the table, in its order. `drift` has two: whether the odd vendor can be told.

Rows are flagged while they are read, by what was found when they were scored (kept_flags.py). Of
what compares whole datasets, no row can be said to be the wrong one: `score_shift` stays a finding
without a mark.
"""

INVALID_ROW = next(a for a in ACTIONS if a.finding == "invalid row").codes
"""Codes of rows that break a rule about themselves."""

_BY_CODE = {code: action for action in ACTIONS for code in action.codes}


def action_of(code: str) -> Action:
    """The line of a finding's code.

    Raises:
        MarketDataError: no line names the code.
    """
    if code not in _BY_CODE:
        raise MarketDataError(
            f"no action for the finding {code!r}; add it to ACTIONS in market_data/quality"
        )
    return _BY_CODE[code]


def bar_marks(flags: pl.DataFrame) -> pl.DataFrame:
    """Findings about single bars as what they do to these.

    Args:
        flags: symbol, session, ts, code, severity.

    Returns:
        Columns symbol, session, ts, flag, severity, the latter as the bar's dq_status shall be;
        rows without codes that neither mark nor flag a row.
    """
    status = {DataEffect.MARK_ROW: ERROR, DataEffect.FLAG_ROW: WARN}
    given = {
        code: status[data]
        for code in flags.get_column("code").unique()
        if (data := action_of(code).data) in status
    }
    return flags.filter(pl.col("code").is_in(list(given))).select(
        "symbol",
        "session",
        "ts",
        flag="code",
        severity=pl.col("code").replace_strict(given, return_dtype=pl.String),
    )


def check_severity(findings: pl.DataFrame) -> str:
    """The severity (warn or error) of a check that found something, which is that of its alert.

    Args:
        findings: code, severity.
    """
    found = findings.select("code", "severity").unique()
    return ERROR if ERROR in (_alert_severity(*pair) for pair in found.iter_rows()) else WARN


def _alert_severity(code: str, severity: str) -> str:
    action = action_of(code)
    if action.run is RunEffect.FAIL_STEP:
        return ERROR
    return severity if action.alert == ERROR else WARN


def block_reasons(
    findings: pl.DataFrame, symbol_sessions: pl.DataFrame, limits: pl.DataFrame
) -> list[str]:
    """Why a run must not go on; nothing where it may.

    Give it what concerns the run's own symbols alone. Limits differ by asset class, and each class
    is judged by itself.

    Args:
        findings: rows of FINDINGS.
        symbol_sessions: symbol, session, and where known refused and rows (invalid rows, and all
            rows): `measured` of the outcome `ohlc`.
        limits: symbol, asset_class, block_share, reject_error_share, see
            `market_data.quality.view.limits_of`.

    Returns:
        One sentence per reason.
    """
    lines = {code: action_of(code) for code in findings.get_column("code").unique().sort()}
    failing = [c for c, action in lines.items() if action.run is RunEffect.FAIL_STEP]
    marking = [c for c, a in lines.items() if a.run is RunEffect.BLOCK_ABOVE_BLOCK_SHARE]
    reasons = findings.filter(pl.col("code").is_in(failing)).select("detail").to_series()
    sentences = [f"schema: {text}" for text in reasons.unique().sort().head(1)]
    errors = (
        findings.filter(pl.col("code").is_in(marking), pl.col("severity") == ERROR)
        .select(KEY)
        .unique()
        .with_columns(in_error=pl.lit(value=True))
    )
    counted = symbol_sessions if "rows" in symbol_sessions.columns else _uncounted(symbol_sessions)
    per_class = (
        counted.join(errors, on=KEY, how="left")
        .join(limits, on="symbol")
        .group_by("asset_class")
        .agg(
            pl.col("in_error").fill_null(value=False).sum(),
            pl.col("refused", "rows").sum(),
            pl.col("block_share", "reject_error_share").first(),
            total=pl.len(),
        )
        .sort("asset_class")
    )
    for row in per_class.iter_rows(named=True):
        sentences += _class_reasons(row)
    return sentences


def _uncounted(symbol_sessions: pl.DataFrame) -> pl.DataFrame:
    return symbol_sessions.with_columns(refused=pl.lit(0), rows=pl.lit(0))


def _class_reasons(row: dict[str, float]) -> list[str]:
    """Sentences about one asset class."""
    sentences = []
    marked = row["in_error"] / row["total"]
    if marked > row["block_share"]:
        sentences.append(
            f"{row['asset_class']}: {row['in_error']} of {row['total']} symbol-sessions are in "
            f"error, more than {row['block_share']:.0%}"
        )
    if row["rows"] and row["refused"] / row["rows"] > row["reject_error_share"]:
        sentences.append(
            f"{row['asset_class']}: {row['refused']} of {row['rows']} rows are invalid, more than "
            f"{row['reject_error_share']:.0%}"
        )
    return sentences
