"""The checks of refused rows in runs of the real graph: lost, found again, never in the way."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.timeframes import Timeframe
from tests.support.graph import Graph, graph
from tests.support.operations_file import emptied_quarantine

LOG = "curated/quarantine"
D1, SYMBOLS = Timeframe.D1, ("DEMO-ACME", "DEMO-BTC", "DEMO-GLOBEX")
FIRST, LAST = date(2024, 2, 26), date(2024, 2, 28)
"""The vendor contradicts itself about DEMO-BTC on the 27th; a row of DEMO-GLOBEX breaks on the
28th."""


def curate(world: Graph) -> None:
    curate_sessions(world.platform, D1, SYMBOLS, FIRST, LAST)


def failed(world: Graph, check: str) -> set[str]:
    return {day for day, state in world.states(LOG, check).items() if state == "FAILED"}


def test_refused_rows_that_are_lost_are_told_until_they_are_curated_again(tmp_path: Path):
    with graph(tmp_path) as world:
        request = IngestRequest("sample_a", D1, SYMBOLS, FIRST, LAST)
        ingest(world.platform, request, world.platform.vendors.open("sample_a"))
        curate(world)
        emptied_quarantine(world.settings)
        done = world.run([LOG], str(FIRST), str(LAST))
        assert done.success, "what the log lacks stops nothing"
        assert failed(world, "coverage") == {"2024-02-27", "2024-02-28"}
        assert failed(world, "schema") == failed(world, "staleness") == set()
        found = {(e.check_name, e.partition): e for e in done.get_asset_check_evaluations()}
        told = found["coverage", "2024-02-28"]
        assert "1 refused row(s) are kept nowhere: ohlc" in (told.description or "")
        assert "## not_kept" in str(told.metadata["runbook"].value)
        summary = found["run_summary", None]
        assert (summary.passed, summary.severity.value) == (False, "WARN")

        curate(world)
        assert world.run([LOG], str(LAST), str(LAST)).success
        assert failed(world, "coverage") == {"2024-02-27"}
