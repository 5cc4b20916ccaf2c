"""How good every symbol-session of the curated bars is: what was measured, a score, a status.

Sessions and bars are counted as the calendar expects them between listing and delisting, never
calendar days: flawless data scores 1.0. A row carries the digest of the bars that it speaks of and
the version of the rules, so that a score which its bars have outlived shows.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import (
    add_session_metadata,
    column_schema,
    coverage_heat_map,
    materialised,
    run_range,
    table,
)
from emp_assets.naming import OWNERS, SCORES_KEY, curated_key
from emp_assets.noting import noted
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.pipeline.inspection import Inspection, inspect_scores
from market_data.pipeline.platform import Platform
from market_data.pipeline.rescore import scores_by_other_rules
from market_data.pipeline.score import score_range
from market_data.schemas import SCORES
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.platform import PlatformResource

SCORE_CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every symbol-session of the curated bars has a score.",
    "staleness": "No score is older than the bars or the rules that it speaks of.",
    "drift": "The scores of a session do not fall off against the sessions before it.",
    "duplicates": "No symbol-session is scored twice.",
    "ohlc": "The measured values are possible: a score within 0 and 1, counts that fit.",
}


def scores_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of quality scores."""

    @dg.asset(
        key=SCORES_KEY,
        deps=[curated_key(t) for t in Timeframe],
        group_name="quality",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(SCORES)},
    )
    def scores(
        context: dg.AssetExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        first, last = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            with noted(context, platform, None, symbols, (first, last)):
                frame = score_range(opened, symbols, first, last, progress=context.log.info)
        by_session = frame.group_by("session").agg(pl.len(), pl.col("score").mean())
        add_session_metadata(
            context,
            first,
            last,
            {
                session: {"dagster/partition_row_count": rows, "mean_score": score}
                for session, rows, score in by_session.iter_rows()
            },
        )
        # Of the same sessions: symbols that this run was not about.
        others = scores_by_other_rules(opened, (first, last))
        worst = frame.sort("score", "session", "symbol").select(
            "dataset", "symbol", "session", "score", "status", "coverage", "reasons"
        )
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, sorted(frame["symbol"].unique())),
                "rows": frame.height,
                "scores_by_other_rules": others.height,
                "rows_by_status": dg.MetadataValue.json(
                    dict(frame.group_by("status").len().sort("status").iter_rows())
                ),
            },
            drawings={
                "worst": table(worst, rows=20),
                "score_heat_map": coverage_heat_map(
                    frame.group_by("symbol", "session").agg(coverage=pl.col("score").min()),
                    {s: _score_limits(opened, s) for s in frame["symbol"].unique()},
                ),
                "first_rows": table(frame),
                "other_rules": table(others, rows=20),
            },
        )

    return scores


def _score_limits(platform: Platform, symbol: str) -> tuple[float, float]:
    """Those of the symbol's daily bars; a cell is the worst of all its timeframes."""
    asset_class = platform.universe.instrument(symbol).asset_class
    rules = platform.thresholds.rule(asset_class, Timeframe.D1)
    return rules.score_warn, rules.score_error


def scores_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the scores."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_scores(platform, first, last)

    return session_checks(
        SCORES_KEY, session_partitions(universe.first_session), inspect, SCORE_CHECKS
    )
