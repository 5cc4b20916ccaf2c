"""Who was asked about the splits of the symbols that are curated.

What belongs here: the evidence that curation needs, read only where there is a doubt.
What does not: what it means (market_data/curation/split_evidence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from market_data.basis import Adjustment, Basis
from market_data.curation.split_evidence import SplitsTold
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.ports.operations import STATED_ACTIONS
from market_data.schemas import LEDGER


def splits_told(platform: Platform, frames: Sequence[pl.DataFrame], last: date) -> SplitsTold:
    """Who told the splits of symbols whose prices are adjusted for them.

    Args:
        platform: the installation.
        frames: rows of RAW_BARS, each of one vendor.
        last: last session of the rows.
    """
    universe, adjusted, doubtful = platform.universe, set[str](), set[str]()
    for frame in frames:
        if frame.is_empty():
            continue
        found = _adjusted_symbols(frame)
        adjusted |= found
        if not platform.vendors.tells_splits(frame.get_column("vendor").item(0)):
            doubtful |= found
    told = own_words(platform, [s for s in adjusted if _splits(platform, s)])
    symbols = sorted(s for s in doubtful if _splits(platform, s))
    if not told.tellers or not symbols:
        return told
    answers = platform.ledger.read(
        vendors=list(told.tellers), symbols=symbols, sessions=(universe.first_session, last)
    )
    return replace(told, answers=answers.filter(pl.col("outcome") == str(Outcome.ROWS)))


def own_words(platform: Platform, symbols: Sequence[str]) -> SplitsTold:
    """What every source has stated about symbols, and which vendors speak of their own prices."""
    vendors = [v.name for v in platform.universe.vendors]
    return SplitsTold(
        tellers=[name for name in vendors if platform.vendors.tells_splits(name)],
        answers=LEDGER.empty(),
        statements=platform.actions.history(symbols=sorted(symbols))
        if symbols
        else pl.DataFrame(schema=STATED_ACTIONS),
        # Files hold no actions: those under the name of such a vendor came from a person.
        vendors=[v.name for v in platform.universe.vendors if v.reader != "files"],
    )


def _splits(platform: Platform, symbol: str) -> bool:
    return platform.universe.instrument(symbol).asset_class.is_adjustable


def _adjusted_symbols(frame: pl.DataFrame) -> set[str]:
    """Symbols of which a vendor gave prices that are adjusted for splits."""
    texts = frame.get_column("basis").unique().to_list()
    adjusted = [t for t in texts if Basis.parse(t).adjustment is Adjustment.SPLITS]
    if not adjusted:
        return set()
    these = frame.filter(pl.col("basis").is_in(adjusted))
    return set(these.get_column("symbol").unique())
