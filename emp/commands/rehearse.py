"""`emp rehearse`: store, cache and stream exercised once against the configured servers."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import FormOption, OutOption, split
from emp.commands.slice_options import (
    DailyOption,
    IntradayOption,
    IntradayTimeframeOption,
    MacroEndOption,
    MacroStartOption,
    SymbolsOption,
    VendorsOption,
)
from emp.invocation import invocation, settings_of
from emp.reporting import DEGRADED_STATUS, show

EXAMPLES = """
Examples:\n
  emp rehearse\n
  emp rehearse --env-file staging.env --format markdown --out rehearsal.md\n
  emp rehearse --vendors yahoo --symbols EURUSD --daily-lookback-days 30

Without --vendors and --symbols the sample vendor's symbols are used, which belong to no market.
They are ingested into the installation's own tables and events of it go to its own topics; doing it
again changes no row. Institutional mode is used whatever EMP_MODE says.

Exit status: 0 when every step is fine and the installation is ready, 3 when only readiness has
something to say, for instance that no Dagster daemon runs, 1 when a step failed.
"""


def rehearse(
    context: typer.Context,
    *,
    symbols: SymbolsOption = None,
    vendors: VendorsOption = None,
    daily_lookback_days: DailyOption = 30,
    intraday_lookback_days: IntradayOption = 1,
    intraday_timeframe: IntradayTimeframeOption = None,
    macro_start: MacroStartOption = None,
    macro_end: MacroEndOption = None,
    form: FormOption = "json",
    out: OutOption = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a server counts as not answering.")
    ] = 20.0,
) -> None:
    """Ingest, store, cache and stream once on the real servers, and report what was seen."""
    from emp.narration import Narrator
    from emp.rehearsal import VENDORS
    from emp.rehearsal import rehearse as run
    from emp.slices import SliceOptions

    options = SliceOptions(
        symbols=split(symbols),
        vendors=split(vendors) or ([] if symbols else VENDORS),
        daily_lookback_days=daily_lookback_days,
        intraday_lookback_days=intraday_lookback_days,
        intraday_timeframe=intraday_timeframe,
        macro_start=macro_start,
        macro_end=macro_end,
        refetch=True,
    )
    with Narrator(debug=invocation(context).debug) as narrator:
        done = run(settings_of(context), options, narrator, timeout=timeout)
    show(form, done.to_json(), done.to_markdown(), out)
    raise typer.Exit(1 if done.failures else DEGRADED_STATUS if done.warnings else 0)
