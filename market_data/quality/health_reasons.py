"""Reasons: what keeps a dataset from being GREEN, in sentences.

What belongs here: from judged symbol-sessions to the reasons of a verdict. What does not: judging a
session, and the verdict itself (health.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from market_data.quality.annotations import UNUSABLE
from market_data.quality.score import GREEN, RED, YELLOW
from market_data.wording import few

_ABSENT = "no_data"
_TOLD = 5


@dataclass(frozen=True)
class Reason:
    """One thing that keeps a dataset from being GREEN.

    Attributes:
        status: RED where it alone makes the dataset RED, else YELLOW.
        code: of the findings, or what was measured (red_share, score, nothing).
        symbols: how many it concerns.
        symbol_sessions: the same in symbol-sessions.
        text: one sentence.
    """

    status: str
    code: str
    symbols: int
    symbol_sessions: int
    text: str


def reasons_of_classes(rows: pl.DataFrame) -> list[Reason]:
    """What makes a dataset RED, by asset class."""
    bad = pl.col("status") == RED
    newest = pl.col("session") == pl.col("session").max().over("symbol")
    classes = (
        rows.with_columns(bad=bad, newest=newest)
        .group_by("asset_class")
        .agg(
            pl.col("block_share", "score_error").first(),
            red=pl.col("bad").sum(),
            total=pl.len(),
            red_newest=(pl.col("bad") & pl.col("newest")).sum(),
            symbols=pl.col("symbol").n_unique(),
            red_symbols=pl.col("symbol").filter("bad").n_unique(),
            score=pl.col("score").mean(),
        )
        .sort("asset_class")
    )
    reasons = []
    for row in classes.iter_rows(named=True):
        name, share = row["asset_class"] or "unknown symbols", row["block_share"] or 0.0
        if row["red"] > share * row["total"]:
            text = (
                f"{name}: {row['red']} of {row['total']} symbol-sessions are RED, more than "
                f"{share:.0%}"
            )
            reasons.append(Reason(RED, "red_share", row["red_symbols"], row["red"], text))
        elif row["red_newest"] > share * row["symbols"]:
            text = (
                f"{name}: of {row['symbols']} symbols {row['red_newest']} are RED in their newest "
                f"session, more than {share:.0%}"
            )
            newest_red = row["red_newest"]
            reasons.append(Reason(RED, "red_share", newest_red, newest_red, text))
        if row["score"] is not None and row["score"] < (row["score_error"] or 0.0):
            text = f"{name}: the mean score is {row['score']:.2f}, below {row['score_error']}"
            reasons.append(Reason(RED, "score", row["symbols"], row["total"], text))
    return reasons


def reasons_of_codes(judged: pl.DataFrame, unusable_by: Sequence[str]) -> list[Reason]:
    """What was found, the codes of RED symbol-sessions first, then the most frequent."""
    codes = (
        judged.filter(pl.col("status") != GREEN)
        .with_columns(
            code=pl.when(pl.col("codes") == "").then(pl.lit("score")).otherwise("codes"),
            red=pl.col("status") == RED,
        )
        .with_columns(pl.col("code").str.split(","))
        .explode("code")
        .sort("session", "symbol", descending=[True, False])
        .group_by("code", maintain_order=True)
        .agg(
            pl.col("red").sum(),
            symbols=pl.col("symbol").n_unique(),
            rows=pl.len(),
            newest=pl.format("{} {}", pl.col("symbol").first(), pl.col("session").first()),
        )
        .sort("red", "rows", "code", descending=[True, True, False])
    )
    who = f"; marked unusable by {', '.join(sorted(set(unusable_by)))}"
    return [
        Reason(
            YELLOW,
            row["code"],
            row["symbols"],
            row["rows"],
            f"{row['code']}: {row['rows']} symbol-session(s) of {row['symbols']} symbol(s), "
            f"{row['red']} of them RED; the newest is {row['newest']}"
            + (who if row["code"] == UNUSABLE and unusable_by else ""),
        )
        for row in codes.iter_rows(named=True)
    ]


def reasons_of_symbols(judged: pl.DataFrame, limits: pl.DataFrame) -> list[Reason]:
    """Symbols that lack too many bars over the whole window, each by its own limit.

    The share of an asset class is blind for one symbol among many, of which nothing comes any more.
    A session without bars that may still be on their way does not count.

    Args:
        judged: rows of JUDGED.
        limits: symbol, coverage_error.
    """
    absent = pl.col("codes").str.split(",").list.contains(_ABSENT)
    lacking = (
        judged.filter(~(absent & (pl.col("status") != RED)))
        .group_by("symbol")
        .agg(
            rows=pl.len(),
            coverage=pl.when(absent).then(0.0).otherwise(pl.col("coverage").fill_null(1.0)).mean(),
        )
        .join(limits.select("symbol", "coverage_error"), on="symbol", how="left")
        .filter(pl.col("coverage") < pl.col("coverage_error"))
        .sort("coverage", "symbol")
    )
    if lacking.is_empty():
        return []
    worst, limit = lacking["coverage"][0], lacking["coverage_error"][0]
    names = lacking["symbol"].to_list()
    text = (
        f"bars are lacking of {few(names, _TOLD)} over the whole window: coverage of {names[0]} "
        f"{worst:.0%}, below {limit:.0%}"
    )
    return [Reason(RED, "coverage", len(names), int(lacking["rows"].sum()), text)]


def reasons_of_named(named: Mapping[str, bool], judged: pl.DataFrame) -> list[Reason]:
    """Symbols that were asked about and of which nothing is known.

    Args:
        named: those symbols, and whether there ever was a bar of each.
        judged: rows of JUDGED.
    """
    seen = set(judged["symbol"])
    never = sorted(symbol for symbol, ever in named.items() if not ever)
    quiet = sorted(symbol for symbol, ever in named.items() if ever and symbol not in seen)
    reasons = []
    if never:
        text = f"never any bar of {few(never, _TOLD)}: nothing is known"
        reasons.append(Reason(RED, "never", len(never), 0, text))
    if quiet:
        text = f"no session of {few(quiet, _TOLD)} was due in these days: nothing is known"
        reasons.append(Reason(YELLOW, "nothing", len(quiet), 0, text))
    return reasons
