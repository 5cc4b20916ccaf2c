"""Every bar that one vendor reported at one timeframe, in every revision, as the vendor gave it.

A run asks the vendor for the sessions that the ledger lacks, archives the answer's bytes, and
appends the bars that are new or differ from what was known. Nothing is ever changed or removed.
"""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from adapters.vendors.table import VendorEntry
from emp_assets.bar_checks import session_checks
from emp_assets.metadata import (
    add_session_metadata,
    column_schema,
    markdown_table,
    materialised,
    run_range,
    table,
)
from emp_assets.naming import OWNERS, raw_key, vendor_pool
from emp_assets.outcome_map import outcome_drawings
from emp_assets.pacing import await_turn
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import UnansweredError, retried
from emp_assets.run_config import RawBarsConfig
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.inspection import Inspection, inspect_raw
from market_data.pipeline.inspection_beside import Beside, beside_raw
from market_data.pipeline.kept import kept_bars
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import Universe, VendorConfig
from resources.platform import PlatformResource


def raw_bars_asset(
    universe: Universe, vendor: VendorConfig, timeframe: Timeframe, terms: VendorEntry | None
) -> dg.AssetsDefinition:
    """The asset of one vendor's bars at one timeframe, with the vendor's terms beside it."""
    key = raw_key(vendor.name, timeframe)

    @dg.asset(
        key=key,
        group_name="raw",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        pool=vendor_pool(vendor.name),
        description=f"{timeframe} bars of {vendor.name} ({vendor.reader} reader).\n\n{__doc__}",
        metadata={"dagster/column_schema": column_schema(RAW_BARS), **_told(terms)},
    )
    def raw_bars(
        context: dg.AssetExecutionContext, config: RawBarsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        first, last = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
        symbols = config.choose(opened.universe.symbols_of(vendor.name))
        if reason := opened.vendors.why_off(vendor.name):
            context.log.warning("%s is off: %s; nothing was asked of it", vendor.name, reason)
            return materialised(
                context,
                first,
                last,
                numbers={**run_range(first, last, symbols), "off": reason},
                drawings=_drawn(opened, symbols, first, last),
            )
        request = IngestRequest(
            vendor.name,
            timeframe,
            symbols,
            first,
            last,
            config.refetch,
            context.run.run_id,
            config.sessions_of(),
        )
        await_turn(context)
        source = opened.vendors.open(
            vendor.name,
            path=config.path,
            spec=config.spec,
            prices_as_of=config.exported_on(),
        )
        # Two runs that lack the same would both ask for it: the later one finds it answered.
        with retried(context), platform.ingest_locks().hold([f"ingest {key.path[-1]}"]):
            report = ingest(opened, request, source, progress=context.log.info)
            _refuse_silence(report)
        kept = kept_bars(opened, vendor.name, timeframe, symbols, first, last)
        add_session_metadata(
            context,
            first,
            last,
            {
                session: {"dagster/partition_row_count": rows, "symbols_in_session": symbols_seen}
                for session, rows, symbols_seen in kept.per_session.iter_rows()
            },
        )
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, symbols),
                "rows": kept.rows,
                "received_rows": report.total_rows,
                "new_rows": report.new_rows,
                "revised_rows": report.revised_rows,
                "rejected_rows": report.rejected_rows,
                "requests": report.fetches,
                "already_answered": report.answered,
            },
            drawings={
                "outcomes": markdown_table(_outcomes(report)),
                **_drawn(opened, symbols, first, last),
                "first_rows": table(kept.preview),
            },
        )

    def _drawn(
        opened: Platform, symbols: tuple[str, ...], first: date, last: date
    ) -> dict[str, Any]:
        return outcome_drawings(opened, timeframe, symbols, (first, last), [vendor.name])

    return raw_bars


def raw_bars_checks(
    universe: Universe, vendor: VendorConfig, timeframe: Timeframe
) -> dg.AssetChecksDefinition:
    """The checks of one vendor's bars at one timeframe."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_raw(platform, vendor.name, timeframe, first, last)

    def beside(platform: Platform, first: date, last: date) -> Beside:
        return beside_raw(platform, vendor.name, timeframe, first, last)

    return session_checks(
        raw_key(vendor.name, timeframe),
        session_partitions(universe.first_session),
        inspect,
        beside=beside,
    )


def _told(terms: VendorEntry | None) -> dict[str, str | int]:
    """Tier, cost, latency, entitlement and limits of a vendor, as they were reviewed."""
    shown = ("tier", "cost", "latency", "entitlement", "limits")
    return {name: getattr(terms, name) for name in shown} if terms else {}


def _outcomes(report: IngestReport) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (symbol, str(o.outcome), report.rows.get(symbol, 0), o.detail)
            for symbol, o in report.outcomes.items()
        ],
        schema={"symbol": pl.String, "outcome": pl.String, "rows": pl.Int64, "detail": pl.String},
        orient="row",
    )


def _refuse_silence(report: IngestReport) -> None:
    """Fail the step when no question was answered: an empty success would hide an outage."""
    if report.nothing_answered:
        outcomes = report.outcomes.values()
        # That a trouble kept others from being asked for repeats it.
        met = [o for o in outcomes if o.outcome is not Outcome.NOT_ASKED] or outcomes
        details = sorted({o.detail for o in met if o.detail})
        raise UnansweredError(
            f"{report.vendor} answered for none of {len(report.outcomes)} symbols: "
            + "; ".join(details[:3])
        )
