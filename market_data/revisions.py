"""Revisions of bars: which one counts as of a time, and whether an answer says anything new.

What belongs here: the pure rules that every `RawLog` shares. What does not: where revisions are
kept (adapters/stores).

The bars of one key (symbol, ts) in one fetch are a set: a vendor that contradicts itself is kept
as it spoke, and its set is compared with another fetch's set as a whole. All frames are rows of
RAW_BARS of one vendor and timeframe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.ordering import KEY, repeats_key, sort_if_needed
from market_data.overtaking import FETCH as _FETCH
from market_data.overtaking import behind, came, overtaken, overtaking
from market_data.schemas import PRICES

VALUES = (*PRICES, "adj_close", "volume", "vwap", "trades", "basis")
"""What a revision can change. NaN equals NaN here, and null equals null."""

_COMPLETED = (pl.col("fetched_at_known") < pl.col("known_at")) & (
    pl.col("known_at") < pl.col("fetched_at")
)
"""The known revision was fetched while its bar was still running, this one after it could be had:
even with equal values it says more, namely that they are final."""


@dataclass(frozen=True)
class Difference:
    """What an answer adds to what is known.

    Attributes:
        frame: the rows to keep, with their final `known_at`, sorted by (symbol, ts).
        new: how many rows those are.
        revised: how many of them revise a known bar.
    """

    frame: pl.DataFrame
    new: int
    revised: int


def newest(revisions: pl.DataFrame, known_at: datetime | None = None) -> pl.DataFrame:
    """Of each bar the rows of its newest fetch.

    Args:
        revisions: rows of RAW_BARS in any order.
        known_at: only what was known by then; None for everything.

    Returns:
        Rows sorted by (symbol, ts). Exact repeats within the fetch are collapsed; where it
        contradicts itself, all its different rows are there. Rows that overtook those of a clock
        that was ahead have the time at which they came.
    """
    rows = sort_if_needed(revisions, (*KEY, *_FETCH))
    same = repeats_key(rows)
    after = overtaking(rows, same)
    if after is None:
        return _newest(rows, same, known_at)
    marked = rows.with_columns(_after=after)
    return _newest(marked, same, known_at).with_columns(came("_after")).select(rows.columns)


def _newest(rows: pl.DataFrame, same: pl.Series | None, known_at: datetime | None) -> pl.DataFrame:
    if same is not None:
        rows = _known_when_fetched(rows, same)
    if known_at is not None:
        rows = rows.filter(pl.col("known_at") <= known_at)
        same = None if same is None else repeats_key(rows)
    if same is None:
        return rows
    several = same | same.shift(-1, fill_value=False)
    contested = rows.filter(several)
    latest = contested.group_by(KEY).agg(pl.col(_FETCH).last())
    kept = _without_repeats(
        contested.join(latest, on=[*KEY, *_FETCH], how="semi", maintain_order="left")
    )
    # The stable sort keeps the order of the values among rows of one key.
    return pl.concat([rows.filter(~several), kept]).sort(KEY, maintain_order=True)


def _known_when_fetched(rows: pl.DataFrame, same: pl.Series) -> pl.DataFrame:
    """Revisions of which only a bar's first fetch may count as known before it was fetched.

    An append sees to that itself, unless it came before that of an earlier fetch.

    Args:
        rows: sorted by (symbol, ts, fetched_at, fetch_id).
        same: which rows have the key of the row before them.
    """
    early = same & (rows.get_column("known_at") < rows.get_column("fetched_at"))
    if "_after" in rows.columns:
        early = early & ~rows.get_column("_after")
    if not early.any():
        return rows
    starts, group = (~same).arg_true(), (~same).cum_sum() - 1
    fetch = rows.select(_FETCH)
    first = fetch[starts][group]
    later = (fetch["fetched_at"] != first["fetched_at"]) | (fetch["fetch_id"] != first["fetch_id"])
    return rows.with_columns(
        known_at=pl.when(early & later).then("fetched_at").otherwise("known_at")
    )


def new_or_changed(
    incoming: pl.DataFrame,
    known: pl.DataFrame,
    seen: pl.DataFrame | None = None,
    confirmed: pl.DataFrame | None = None,
    now: datetime | None = None,
) -> Difference:
    """The bars of one fetch that are new or differ from the newest revision known before it.

    Only what was fetched no later than `incoming` counts, so that appending one fetch twice adds
    nothing, also after a later one. A bar that was still running when it was fetched counts as
    revised by its first fetch after its end, whatever the values.

    Of two fetches appended in the wrong order, the later one was judged without the earlier one.
    `newest` answers the same all the same, but for one thing: a bar that the earlier fetch had
    missed keeps the `known_at` of a first sight.

    Args:
        incoming: rows of RAW_BARS of one fetch, `known_at` being that of a first sight.
        known: every revision kept of the symbols and sessions that `incoming` names.
        seen: columns symbol, session, asked_at (UTC): when an answer last covered a session, with
            rows or without. Answers from `incoming` on do not count; None for no more than what
            `known` tells.
        confirmed: columns symbol, ts: bars of which it is news that an earlier fetch's values are
            told again; they are kept though nothing differs.
        now: when the answer is appended, where it came just now. It is later than every row of a
            time still to come (market_data/overtaking.py). None for an answer of another time.

    Returns:
        The rows to append. `known_at` is `fetched_at` for a bar that revises a known one, and for
        a bar that is new to a symbol-session which an earlier fetch saw when the bar could already
        be had: it came late, and nobody knew it before.
    """
    rows = _without_repeats(sort_if_needed(incoming))
    if rows.is_empty():
        return Difference(rows, 0, 0)
    last = overtaken(rows, known, now)
    if not last.is_empty():
        first = _overtaking(rows.join(last, on=KEY, how="semi"), known, last, confirmed)
        others = rows.join(last, on=KEY, how="anti", maintain_order="left")
        rest = new_or_changed(others, known, seen, confirmed)
        frame = sort_if_needed(pl.concat([first, rest.frame.select(first.columns)]))
        return Difference(frame, frame.height, first.height + rest.revised)
    asked = rows.select(_FETCH).unique().sort(_FETCH).row(-1, named=True)
    is_earlier = (pl.col("fetched_at") < asked["fetched_at"]) | (
        (pl.col("fetched_at") == asked["fetched_at"]) & (pl.col("fetch_id") <= asked["fetch_id"])
    )
    earlier, later = known.filter(is_earlier), known.filter(~is_earlier)
    if not later.is_empty():
        own = later.filter(pl.col("fetch_id") == asked["fetch_id"])
        rows = rows.join(own, on=KEY, how="anti", maintain_order="left")
        told = _told_since(rows, later.join(earlier, on=KEY, how="anti"))
        rows = rows.join(told, on=KEY, how="anti", maintain_order="left")
        if rows.is_empty():
            return Difference(rows, 0, 0)
    others = earlier.filter(pl.col("fetch_id") != asked["fetch_id"])
    last_seen = _last_seen(others, seen, asked["fetched_at"])
    if earlier.is_empty() and last_seen.is_empty():
        return Difference(rows, rows.height, 0)
    before = newest(earlier)
    if confirmed is None and _same_bars(rows, before):
        return Difference(rows.clear(), 0, 0)
    unchanged = _unchanged(rows, before)
    if confirmed is not None:
        repeated = before.filter(pl.col("fetch_id") != asked["fetch_id"]).join(
            confirmed, on=KEY, how="semi"
        )
        unchanged = unchanged.join(repeated, on=KEY, how="anti")
    changed = rows.join(unchanged, on=KEY, how="anti", maintain_order="left")
    known_keys = before.select(KEY).unique().with_columns(_revises=True)
    marked = changed.join(known_keys, on=KEY, how="left", maintain_order="left").join(
        last_seen, on=["symbol", "session"], how="left", maintain_order="left"
    )
    revises = pl.col("_revises").fill_null(value=False)
    late = (pl.col("_seen") >= pl.col("known_at")).fill_null(value=False)
    revised = int(marked.select(revises.sum()).item())
    frame = marked.with_columns(
        known_at=pl.when(revises | late).then("fetched_at").otherwise("known_at")
    ).select(incoming.columns)
    return Difference(frame, frame.height, revised)


def _overtaking(
    rows: pl.DataFrame, known: pl.DataFrame, last: pl.DataFrame, confirmed: pl.DataFrame | None
) -> pl.DataFrame:
    """What an answer says anew of bars that a log holds of a time still to come.

    The first answer after such a row is kept whatever it says: it tells when the values were known.
    """
    before = newest(known.join(last, on=KEY, how="semi"))
    unchanged = _unchanged(rows, before).join(last.filter("_behind"), on=KEY, how="semi")
    if confirmed is not None:
        unchanged = unchanged.join(confirmed, on=KEY, how="anti")
    return behind(rows.join(unchanged, on=KEY, how="anti", maintain_order="left"), last)


def _told_since(rows: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Keys whose first sight a later fetch has already told, in equal words.

    Two processes that ask at once may append in the other order than they asked. The first sight
    counts as known at the same assumed time either way, so that nothing is lost without this one.
    """
    oldest = later.group_by(KEY).agg(pl.struct(_FETCH).sort().first().alias("_first"))
    first = later.join(oldest.unnest("_first"), on=[*KEY, *_FETCH], how="semi")
    same_time = first.join(rows.select(*KEY, "known_at"), on=[*KEY, "known_at"], how="semi")
    return _unchanged(rows, newest(same_time)).select(KEY)


def _last_seen(others: pl.DataFrame, seen: pl.DataFrame | None, before: datetime) -> pl.DataFrame:
    """Columns symbol, session, _seen: when a session was last covered, by rows or by an answer."""
    answers = [others.select("symbol", "session", _seen="fetched_at")]
    if seen is not None:
        answers.append(
            seen.filter(pl.col("asked_at") < before).select("symbol", "session", _seen="asked_at")
        )
    return pl.concat(answers).group_by("symbol", "session").agg(pl.col("_seen").max())


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorted rows of at most one fetch per key, exact repeats collapsed, in one order for ever."""
    same = repeats_key(rows)
    if same is None:
        return rows
    several = same | same.shift(-1, fill_value=False)
    collapsed = (
        rows.filter(several)
        .sort(*KEY, *VALUES, "vendor_symbol", "known_at")
        .unique([*KEY, *VALUES], keep="first", maintain_order=True)
    )
    return pl.concat([rows.filter(~several), collapsed]).sort(KEY, maintain_order=True)


def _same_bars(rows: pl.DataFrame, before: pl.DataFrame) -> bool:
    """Whether both say the same about the same bars, row by row: the commonest case, no join."""
    columns = [*KEY, *VALUES]
    if rows.height != before.height or not rows.select(columns).equals(before.select(columns)):
        return False
    was = rows.select("known_at", "fetched_at", fetched_at_known=before.get_column("fetched_at"))
    return not was.select(_COMPLETED.any()).item()


def _unchanged(rows: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Keys whose set of rows is the same in both frames."""
    counts = before.group_by(KEY).agg(_known=pl.len())
    single_known = before.join(
        counts.filter(pl.col("_known") == 1), on=KEY, how="semi", maintain_order="left"
    )
    incoming = rows.group_by(KEY).agg(_given=pl.len())
    single = rows.join(
        incoming.filter(pl.col("_given") == 1), on=KEY, how="semi", maintain_order="left"
    )
    pairs = single.join(single_known.select(*KEY, *VALUES, "fetched_at"), on=KEY, suffix="_known")
    equal = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_known")) for c in VALUES)
    sets = (
        rows.join(incoming.filter(pl.col("_given") > 1), on=KEY)
        .join(counts.filter(pl.col("_known") > 1), on=KEY)
        .join(before.select(*KEY, *VALUES), on=[*KEY, *VALUES], nulls_equal=True)
        .group_by(*KEY, "_given", "_known")
        .agg(_met=pl.len())
        .filter(pl.col("_met") == pl.col("_given"), pl.col("_met") == pl.col("_known"))
    )
    return pl.concat([pairs.filter(equal & ~_COMPLETED).select(KEY), sets.select(KEY)])
