"""Who was asked about the splits of the symbols that are curated.

What belongs here: the evidence that curation needs, read only where there is a doubt.
What does not: what it means (market_data/curation/split_evidence.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.curation.split_evidence import SplitsTold
from market_data.datasets import raw_bars
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome, Telling
from market_data.ports.operations import STATED_ACTIONS
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe


def splits_told(platform: Platform, frames: Sequence[pl.DataFrame], last: date) -> SplitsTold:
    """Who told the splits of symbols whose prices are adjusted for them.

    Args:
        platform: the installation.
        frames: rows of RAW_BARS, each of one vendor.
        last: last session of the rows.
    """
    adjusted, doubtful = set[str](), set[str]()
    for frame in frames:
        if frame.is_empty():
            continue
        found = _adjusted_symbols(frame)
        adjusted |= found
        if not telling_timeframes(platform, frame.get_column("vendor").item(0)):
            doubtful |= found
    told = own_words(platform, [s for s in adjusted if _splits(platform, s)])
    symbols = sorted(s for s in doubtful if _splits(platform, s))
    if not told.tellers or not symbols:
        return told
    return replace(told, answers=telling_answers(platform, told.tellers, symbols, last))


def own_words(platform: Platform, symbols: Sequence[str]) -> SplitsTold:
    """What every source has stated about symbols, and which vendors speak of their own prices."""
    vendors = [v.name for v in platform.universe.vendors]
    return SplitsTold(
        tellers=[name for name in vendors if telling_timeframes(platform, name)],
        answers=LEDGER.empty(),
        statements=platform.actions.history(symbols=sorted(symbols))
        if symbols
        else pl.DataFrame(schema=STATED_ACTIONS),
        # What files tell goes by another name: what goes by their vendor's came from a person.
        vendors=[v.name for v in platform.universe.vendors if v.reader != "files"],
    )


def telling_timeframes(platform: Platform, vendor: str) -> list[Timeframe]:
    """The lengths of bars with which a vendor tells splits."""
    tells = platform.vendors.tells_splits
    return [t for t in Timeframe if tells(vendor, t) is not Telling.NONE]


def telling_answers(
    platform: Platform,
    tellers: Collection[str],
    symbols: Sequence[str],
    last: date,
    *,
    with_gaps: bool = False,
    timeframe: Timeframe | None = None,
) -> pl.DataFrame:
    """Answers with bars that would have told a split: rows of LEDGER.

    Args:
        platform: the ledger.
        tellers: vendors that tell splits.
        symbols: about which.
        last: last session.
        with_gaps: also the sessions of such an answer that it had no bars of.
        timeframe: only about bars of this length; None for all.
    """
    span = (platform.universe.first_session, last)
    asked = platform.ledger.read(
        timeframe=timeframe, vendors=list(tellers), symbols=symbols, sessions=span
    )
    given = asked.filter(pl.col("outcome") == str(Outcome.ROWS))
    if with_gaps:
        same = asked.filter(pl.col("outcome") == str(Outcome.NOTHING))
        given = pl.concat(
            [given, same.join(given, on=["vendor", "timeframe", "symbol", "fetch_id"], how="semi")]
        )
    return pl.concat([given.clear(), *(telling(platform, v, given) for v in tellers)])


def telling(platform: Platform, vendor: str, answers: pl.DataFrame) -> pl.DataFrame:
    """The answers of a vendor that would have told a split or dividend.

    Where its series tells them with an adjusted close, an answer without one has told none.

    Args:
        platform: the raw log.
        vendor: that tells splits.
        answers: rows of LEDGER.
    """
    parts = [answers.clear()]
    for length in telling_timeframes(platform, vendor):
        part = answers.filter(pl.col("vendor") == vendor, pl.col("timeframe") == str(length))
        tells = platform.vendors.tells_splits(vendor, length)
        if tells is Telling.WITH_ADJUSTED_CLOSE and not part.is_empty():
            first, last = part.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
            kept = platform.raw_log.read(
                raw_bars(vendor, length),
                symbols=part.get_column("symbol").unique().to_list(),
                sessions=(first, last),
            ).drop_nulls("adj_close")
            part = part.join(kept, on=["symbol", "session"], how="semi")
        parts.append(part)
    return pl.concat(parts)


def _splits(platform: Platform, symbol: str) -> bool:
    return platform.universe.instrument(symbol).asset_class.is_adjustable


def _adjusted_symbols(frame: pl.DataFrame) -> set[str]:
    """Symbols of which a vendor gave prices that are adjusted for splits."""
    adjusted = bases_of(frame, Adjustment.SPLITS)
    if not adjusted:
        return set()
    these = frame.filter(pl.col("basis").is_in(list(adjusted)))
    return set(these.get_column("symbol").unique())
