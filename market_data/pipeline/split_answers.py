"""Who was asked about the splits of the symbols that are curated.

What belongs here: the evidence that curation needs, read only where there is a doubt.
What does not: what it means (market_data/curation/split_evidence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.basis import Adjustment, Basis
from market_data.curation.split_evidence import SplitsTold
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.schemas import LEDGER


def splits_told(
    platform: Platform, frames: Sequence[pl.DataFrame], actions: pl.DataFrame, last: date
) -> SplitsTold:
    """What vendors that tell splits have answered about symbols that may lack one.

    Args:
        platform: the installation.
        frames: rows of RAW_BARS, each of one vendor.
        actions: rows of CORPORATE_ACTIONS that are known.
        last: last session of the rows.
    """
    universe = platform.universe
    tellers = [v.name for v in universe.vendors if platform.vendors.tells_splits(v.name)]
    doubtful: set[str] = set()
    for frame in frames:
        if frame.is_empty() or frame.get_column("vendor").first() in tellers:
            continue
        texts = frame.get_column("basis").unique().to_list()
        adjusted = [t for t in texts if Basis.parse(t).adjustment is Adjustment.SPLITS]
        if adjusted:
            these = frame.filter(pl.col("basis").is_in(adjusted))
            doubtful.update(these.get_column("symbol").unique())
    doubtful -= set(actions.get_column("symbol").unique())
    symbols = sorted(s for s in doubtful if universe.instrument(s).asset_class.is_adjustable)
    if not tellers or not symbols:
        return SplitsTold(tellers, LEDGER.empty())
    answers = platform.ledger.read(
        vendors=tellers, symbols=symbols, sessions=(universe.first_session, last)
    )
    return SplitsTold(tellers, answers.filter(pl.col("outcome") == str(Outcome.ROWS)))
