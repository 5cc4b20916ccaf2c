"""Invalid rows: what share of a symbol-session's rows breaks the rules of their values and place.

What belongs here: counting refused rows by reason, and judging their share. What does not: the
rules themselves, and the quarantine (market_data/quarantine.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.actions import INVALID_ROW
from market_data.quality.findings import (
    KEY,
    SAMPLE_ROWS,
    CheckOutcome,
    findings,
    grade,
    per_cent,
)
from market_data.quality.view import BarsView
from market_data.schemas import PRICES
from market_data.validation import PriceRange, validate_rows

CHECK = "ohlc"
_OTHER_CHECKS = ["drift", "contradiction", "duplicate"]
"""Reasons of quarantined rows that are valid in themselves; checks of their own count them."""
_REASONS = {"symbol": pl.String, "session": pl.Date, "reasons": pl.String, "rows": pl.Int64}


def check_ohlc(view: BarsView, limits: pl.DataFrame) -> CheckOutcome:
    """Judge the share of invalid rows: those among the bars, and those in quarantine.

    One finding per reason (ohlc, not_finite, price_range ...; unreadable for every reason for which
    a row could not become a bar); its severity and value are those of the whole symbol-session,
    its rows those with that reason.

    Args:
        view: the slice.
        limits: see `BarsView.limits`.

    Returns:
        An outcome whose `measured` has symbol, session, refused, rows (good and bad), share.
    """
    bad = _invalid(view, limits)
    refused = pl.concat(
        [
            bad.group_by(*KEY, "reasons").agg(rows=pl.len().cast(pl.Int64)).select(list(_REASONS)),
            _quarantined(view),
        ]
    )
    measured = _measured(view, bad, refused)
    severity, threshold = grade("share", "reject_warn_share", "reject_error_share")
    judged = (
        refused.with_columns(code=pl.col("reasons").str.split(","))
        .explode("code")
        .with_columns(_known_code())
        .group_by(*KEY, "code")
        .agg(pl.col("rows").sum())
        .join(measured.select(*KEY, "share", "refused", total="rows"), on=KEY)
        .join(limits, on="symbol")
        .with_columns(severity, threshold)
        .drop_nulls("severity")
        .with_columns(
            value="share",
            detail=pl.format(
                "{} of {} rows are invalid ({}), {} of them: {}",
                "refused",
                "total",
                per_cent("share"),
                "rows",
                "code",
            ),
        )
    )
    sample = bad.sort("session", "symbol", "ts").head(SAMPLE_ROWS)
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=view.dataset),
        sample.select(*KEY, "ts", *PRICES, "volume", "reasons"),
        measured,
    )


def _invalid(view: BarsView, limits: pl.DataFrame) -> pl.DataFrame:
    """The bars that break a rule about themselves, with `reasons`."""
    narrowest = limits.select(pl.col("price_min").max(), pl.col("price_max").min())
    if not limits.is_empty():
        first = validate_rows(view.bars, prices=PriceRange(*narrowest.row(0)), now=view.now)
        if first.bad.is_empty():
            return first.bad
    ranged = view.bars.join(
        limits.select("symbol", "price_min", "price_max"),
        on="symbol",
        how="left",
        maintain_order="left",
    )
    prices = PriceRange(pl.col("price_min"), pl.col("price_max"))
    return validate_rows(ranged, prices=prices, now=view.now).bad


def _known_code() -> pl.Expr:
    """The reason, or `unreadable` for the many that vendors' answers can have."""
    known = pl.col("code").is_in(sorted(INVALID_ROW))
    return pl.when(known).then("code").otherwise(pl.lit("unreadable")).alias("code")


def _quarantined(view: BarsView) -> pl.DataFrame:
    frame = view.quarantine
    if frame is None:
        return pl.DataFrame(schema=_REASONS)
    if view.kind == "raw" and "stage" in frame.columns:
        frame = frame.filter(pl.col("stage") == "fetch")
    first, last = view.sessions
    own = pl.col("reasons").str.split(",").list.set_difference(_OTHER_CHECKS)
    return (
        frame.filter(pl.col("session").is_between(first, last), own.list.len() > 0)
        .with_columns(reasons=own.list.sort().list.join(","))
        .select(pl.col(name).cast(dtype) for name, dtype in _REASONS.items())
    )


def _measured(view: BarsView, bad: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Rows and refused rows of every symbol-session that is expected or holds any."""
    stored = view.stored.select(*KEY, stored="rows")
    among = bad.group_by(KEY).agg(among=pl.len().cast(pl.Int64))
    all_refused = refused.group_by(KEY).agg(refused=pl.col("rows").sum())
    every = pl.concat([view.expected.select(KEY), stored.select(KEY), all_refused.select(KEY)])
    return (
        every.unique()
        .join(stored, on=KEY, how="left")
        .join(among, on=KEY, how="left")
        .join(all_refused, on=KEY, how="left")
        .with_columns(pl.col("stored", "among", "refused").fill_null(0))
        .with_columns(rows=pl.col("stored") + pl.col("refused") - pl.col("among"))
        .select(*KEY, "refused", "rows", share=pl.col("refused") / pl.max_horizontal("rows", 1))
        .sort(KEY)
    )
