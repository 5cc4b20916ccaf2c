"""One series out of several vendors' bars.

What belongs here: who goes first, and what may be taken from whom. Open, high, low and close come
from one vendor's bar, never mixed. What does not: which bars are fit to be used
(curate.py decides before).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from market_data.errors import MarketDataError
from market_data.schemas import PRICES

FILLABLE = ("trades", "volume", "vwap")
_CARRIED = ("flags", "dq_status", "final")
_COLUMNS = ("symbol", "ts", "session", *PRICES, *FILLABLE, *_CARRIED)
PARTIAL = "partial"
"""Flag of a resampled bar that is over and lacks more of its minutes than minutes may lack."""
_SECOND = 1_000_000
_EPOCH_SHIFT = 1 << 35
"""Seconds that make times since about the year 880 positive."""


@dataclass(frozen=True)
class Candidate:
    """The bars of one vendor on one basis.

    Attributes:
        vendor: whose bars.
        bars: symbol, ts, session, the prices, volume, vwap, trades, flags, dq_status, final; sorted
            by (symbol, ts), one row per key.
        basis_group: bars of equal groups mean the same and may lend each other a volume.
        home: on the home basis of the asset class.
        resampled: made of the vendor's one-minute bars.
        whole: the bars are over, lack nothing, and may be trusted as far as the vendor alone goes.
        close_only: open, high and low only repeat the close.
        preferred: somebody said that this vendor is right about these sessions, so that its whole
            bars come first.
    """

    vendor: str
    bars: pl.DataFrame
    basis_group: str = ""
    home: bool = True
    resampled: bool = False
    whole: bool = True
    close_only: bool = False
    preferred: bool = False

    @property
    def source(self) -> str:
        """How curated bars name it."""
        return f"{self.vendor}@1m" if self.resampled else self.vendor


def ranked(candidates: Sequence[Candidate], order: Sequence[str]) -> list[Candidate]:
    """Best first: whole bars, home basis, native before resampled, the vendors' order, the name.

    A bar that has a close alone comes after any that has a range, however that one is. Whole bars
    of a preferred vendor come before all others, and those of it that are not whole before others
    that are not either.
    """
    place = {vendor: i for i, vendor in enumerate(order)}
    return sorted(
        candidates,
        key=lambda c: (
            not (c.preferred and c.whole),
            c.close_only,
            not c.whole,
            not c.preferred,
            not c.home,
            c.resampled,
            place.get(c.vendor, len(place)),
            c.vendor,
            c.basis_group,
        ),
    )


def stitch(candidates: Sequence[Candidate], order: Sequence[str]) -> pl.DataFrame:
    """Per (symbol, ts) the bar of the best candidate that has one.

    An empty volume, vwap or trades is taken from the next candidate of the same basis group that
    has it.

    A bar that is still running, that lacks minutes, or whose status is an error already, gives way
    to any vendor's whole one, also where its vendor is preferred; a whole one that is nothing but
    a close comes after them all the same, unless its vendor is preferred.

    Args:
        candidates: at least one; each (vendor, basis, resampled, preferred) once.
        order: vendors of the instruments' asset class, best first; others come last, by name.

    Returns:
        The candidates' columns, source ("vendor" or "vendor@1m") and filled
        ("volume:oanda,vwap:oanda", empty where nothing was); sorted by (symbol, ts).

    Raises:
        MarketDataError: a bar does not start at a whole second.
    """
    several = len([c for c in candidates if not c.bars.is_empty()]) > 1
    apart = [part for c in candidates for part in _by_wholeness(c)] if several else candidates
    best_first = ranked(apart, order)
    present = [c for c in best_first if not c.bars.is_empty()] or best_first[:1]
    if len(present) == 1:
        return present[0].bars.select(
            *_COLUMNS, source=pl.lit(present[0].source), filled=pl.lit("")
        )
    keyed = _with_keys([c.bars for c in present])
    merged = _whole_bars(keyed)
    sources = pl.Series([c.source for c in present])
    filled = _fill(merged, keyed, present)
    return filled.with_columns(source=sources.gather(merged.get_column("_rank"))).select(
        *_COLUMNS, "source", "filled"
    )


def _by_wholeness(candidate: Candidate) -> list[Candidate]:
    """The whole bars of a candidate, and the others."""
    whole = candidate.bars.select(
        pl.col("final")
        & (pl.col("dq_status") != "error")
        & ~pl.col("flags").str.contains(PARTIAL, literal=True)
    ).to_series()
    if whole.all():
        return [candidate]
    return [
        replace(candidate, bars=candidate.bars.filter(whole)),
        replace(candidate, bars=candidate.bars.filter(~whole), whole=False),
    ]


def _with_keys(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Adds `_key`, one number that sorts like (symbol, ts).

    Joins and merges are several times faster on it than on a text and a time.
    """
    symbols = pl.concat([f.get_column("symbol").unique() for f in frames]).unique().sort()
    codes = pl.Enum(symbols)
    keyed = []
    for frame in frames:
        ts = frame.get_column("ts").to_physical()
        if (ts % _SECOND != 0).any():
            raise MarketDataError("bars to be stitched must start at whole seconds")
        code = frame.get_column("symbol").cast(codes).to_physical().cast(pl.Int64)
        key = code * (2 * _EPOCH_SHIFT) + ts // _SECOND + _EPOCH_SHIFT
        keyed.append(frame.select(_COLUMNS).with_columns(key.alias("_key")))
    return keyed


def _whole_bars(keyed: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The bar of the first frame that has one, with `_rank`, the number of that frame."""
    merged = keyed[0].with_columns(_rank=pl.lit(0, dtype=pl.UInt16))
    for rank, bars in enumerate(keyed[1:], start=1):
        missing = bars.join(merged.select("_key"), on="_key", how="anti", maintain_order="left")
        if not missing.is_empty():
            added = missing.with_columns(_rank=pl.lit(rank, dtype=pl.UInt16))
            merged = merged.merge_sorted(added, key="_key")
    return merged


def _fill(
    merged: pl.DataFrame, keyed: Sequence[pl.DataFrame], present: Sequence[Candidate]
) -> pl.DataFrame:
    """Fills empty cells from later candidates of the same group; adds `filled`."""
    names = pl.Series([c.basis_group for c in present])
    groups = names.rank("dense").cast(pl.Int32)
    rows = merged.with_columns(_group=groups.gather(merged.get_column("_rank")))
    touched = []
    for column in FILLABLE:
        taken = f"_{column}"
        for rank, (bars, candidate) in enumerate(zip(keyed, present, strict=True)):
            if rank == 0 or not candidate.whole or rows.get_column(column).null_count() == 0:
                continue
            donor = bars.select("_key", _value=column).drop_nulls("_value")
            if donor.is_empty():
                continue
            if taken not in rows.columns:
                rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(taken))
                touched.append(taken)
            take = (
                pl.col(column).is_null()
                & pl.col("_value").is_not_null()
                & (pl.col("_group") == groups[rank])
            )
            rows = (
                rows.join(donor, on="_key", how="left", maintain_order="left")
                .with_columns(
                    pl.when(take).then("_value").otherwise(column).alias(column),
                    pl.when(take)
                    .then(pl.lit(f"{column}:{candidate.source}"))
                    .otherwise(taken)
                    .alias(taken),
                )
                .drop("_value")
            )
    named = pl.concat_str(touched, separator=",", ignore_nulls=True) if touched else pl.lit("")
    return rows.with_columns(filled=named)
