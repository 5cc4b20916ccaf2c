"""Splits that a vendor has told, and perhaps not worked into the prices that came with them.

What belongs here: judging that by the prices of an answer, and noting it in their basis. What does
not: what follows for a bar (worked_in.py), splits that a vendor does not tell.

A vendor may name a split from the ex-date on and divide its history by it a day later. Prices that
are divided go on across the ex-date as they do elsewhere; those that are not fall by the split's
ratio. Bars that are known from before the ex-date, which no split of today divides, say the same:
the answer's prices are those, or those divided; but only where no other split lies between the two,
however long ago it traded. Where neither shows, the split is small or the answer lies on one side
of the ex-date, it is taken that a vendor has worked a split in two days after the ex-date; before
that it is an open question.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import polars as pl

from market_data.basis import Adjustment, Basis, bases_of
from market_data.corporate_actions.silence import SAME_PRICE
from market_data.corporate_actions.worked_in import WORKED_IN_WITHIN, heard_by, notes_of

JUDGED_WITHIN = timedelta(days=14)
"""After the ex-date's opening. No vendor takes longer; a fall by a ratio is then a fall."""
APART = timedelta(days=7)
"""Bars further apart tell no step: of two sessions in a row no closure parts them so far."""
_ENOUGH = 5
"""Sessions that tell what a symbol's steps are like."""
_USUAL_STEP = 0.005
"""From a close to the next opening, relative, where too few sessions are known."""
_LEAST_STEP = 0.002
_FAR = 5.0
"""So many usual steps are too far for an ordinary opening."""
_NEAR = 1 / 3
"""Of the way from no step to that of the split: what is near either. The rest of the way is too far
for an ordinary opening, or the split is too small to show."""
_LEAST_SIZE = math.log(1.2)
"""Of a split whose step can be told from news: on the day of a stock dividend of 5 % a share may
well open 5 % lower."""
_EVENT = ["symbol", "ex_date"]
VERDICTS = pl.Schema({"symbol": pl.String(), "ex_date": pl.Date(), "worked_in": pl.Boolean()})
"""Whether an answer's prices show that a split is worked in; null where they do not show it."""


def told_lately(raw: pl.DataFrame, said: pl.DataFrame, *, calendar: str) -> pl.DataFrame:
    """The splits that are told with an answer, where one has traded, or was first told, so lately.

    Args:
        raw: rows of RAW_BARS of one fetch.
        said: rows of CORPORATE_ACTIONS, every statement of the vendor in the order in which they
            were recorded, those of the answer among them.
        calendar: of the symbols.

    Returns:
        Columns symbol, ex_date, value, known_at, day_began, traded_from and fetched_at (UTC), and
        late (Boolean: whether it is one of those): of symbols that have such a split, all that
        have traded and have bars from before the ex-date. One that traded long ago is not judged,
        but bars may be known from before it. Empty where the prices are not adjusted for splits.
    """
    asked = raw.filter(_is_adjusted(raw)).select("symbol", "fetched_at")
    heard = heard_by(asked.unique(), said, calendar=calendar)
    first = raw.group_by("symbol").agg(_first=pl.col("session").min())
    age = pl.col("fetched_at") - pl.col("traded_from")
    told_late = pl.col("known_at") > pl.col("fetched_at") - JUDGED_WITHIN
    return (
        heard.join(first, on="symbol")
        .filter(pl.col("_first") < pl.col("ex_date"), age >= timedelta(0))
        .with_columns(late=(age < JUDGED_WITHIN) | told_late)
        .filter(pl.col("late").any().over("symbol"))
        .select(*_EVENT, "value", "known_at", "day_began", "traded_from", "fetched_at", "late")
        .sort(_EVENT)
    )


def judged(raw: pl.DataFrame, splits: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Whether splits are worked into the prices of an answer.

    Args:
        raw: rows of RAW_BARS of one fetch.
        splits: what `told_lately` found.
        kept: rows of RAW_BARS of the same vendor and timeframe, from before: the newest revisions
            of the symbols from the first bar of the answer until APART after the last ex-date.

    Returns:
        Columns of VERDICTS, one row for each of the splits that traded lately.
    """
    lately = pl.col("fetched_at") - pl.col("traded_from") < JUDGED_WITHIN
    bars = raw.filter(_is_adjusted(raw))
    known = _on_basis_of(bars, kept)
    return (
        splits.filter(lately)
        .select(_EVENT)
        .join(_by_known_bars(bars, splits, known), on=_EVENT, how="left")
        .join(_by_step(bars, splits, known), on=_EVENT, how="left", suffix="_by_step")
        .select(*_EVENT, worked_in=pl.coalesce("worked_in", "worked_in_by_step"))
    )


def noted(raw: pl.DataFrame, splits: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The rows of an answer; the basis of those that lack a split, or may, says from which day on.

    Args:
        raw: rows of RAW_BARS of one fetch.
        splits: what `told_lately` found.
        verdicts: columns of VERDICTS.

    Returns:
        The rows in their order.
    """
    recent = pl.col("fetched_at") < pl.col("traded_from") + WORKED_IN_WITHIN
    unworked = splits.join(verdicts, on=_EVENT, how="left").filter(
        ~pl.col("worked_in").fill_null(value=~recent)
    )
    if unworked.is_empty():
        return raw
    shown = pl.col("worked_in").is_not_null()
    notes = unworked.group_by("symbol").agg(
        lacks_from=pl.col("ex_date").filter(shown).min(),
        unclear_from=pl.col("ex_date").filter(~shown).min(),
        _until=pl.col("ex_date").max(),
    )
    return _with_notes(raw, notes)


def _by_known_bars(bars: pl.DataFrame, splits: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """VERDICTS by bars that were kept when one split alone was not in their prices yet."""
    pairs = (
        bars.select("symbol", "session", "ts", "close")
        .join(known, on=["symbol", "ts"], suffix="_known")
        .join(splits, on="symbol", suffix="_now")
        .filter(pl.col("session") < pl.col("ex_date"))
    )
    said_so = (pl.col("ex_date") >= pl.col("lacks_from")).fill_null(value=False)
    earliest = pl.max_horizontal("known_at", pl.col("day_began") - WORKED_IN_WITHIN)
    lacking = said_so | (pl.col("known_since") < pl.min_horizontal(earliest, "traded_from"))
    alone = lacking.sum().over("symbol", "ts") == 1
    # One that had traded and was told later may have been worked in before or since.
    unsure = ~lacking & (pl.col("known_at") > pl.col("known_since"))
    sure = ~unsure.any().over("symbol", "ts")
    seen = (
        pairs.filter(pl.col("unclear_from").is_null())
        .filter(alone & lacking & sure)
        .group_by(*_EVENT, "value")
        .agg(_share=(pl.col("close") / pl.col("close_known")).median())
        .with_columns(_step=-(pl.col("_share") * pl.col("value")).log())
    )
    return _verdicts(seen, pl.min_horizontal(pl.lit(SAME_PRICE), _size() * _NEAR))


def _by_step(bars: pl.DataFrame, splits: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """VERDICTS by the step of the prices across the ex-date."""
    edges = _edges(bars)
    before = edges.select("symbol", "close", last="session")
    # Bars from the ex-date on, whenever they were fetched, are divided by none but a later split.
    alone = splits.filter("late").filter(pl.len().over("symbol") == 1)
    later = _edges(known.join(alone, on="symbol", how="semi"))
    missing = later.join(edges, on=["symbol", "session"], how="anti")
    after = pl.concat([edges, missing]).select("symbol", "open", first="session")
    steps = (
        splits.sort("ex_date")
        .join_asof(
            before.sort("last"),
            left_on="ex_date",
            right_on="last",
            by="symbol",
            allow_exact_matches=False,
            check_sortedness=False,
            coalesce=False,
        )
        .join_asof(
            after.sort("first"),
            left_on="ex_date",
            right_on="first",
            by="symbol",
            strategy="forward",
            check_sortedness=False,
            coalesce=False,
        )
        .filter(pl.col("first") - pl.col("last") <= APART)
        # Of two splits between two bars the step is that of both.
        .filter(pl.len().over("symbol", "first") == 1)
        .join(_usual_steps(edges), on="symbol")
        .with_columns(_step=(pl.col("open") / pl.col("close")).log())
    )
    unusual = (_size() >= _LEAST_SIZE) & (_size() * (1 - _NEAR) >= pl.col("usual") * _FAR)
    return _verdicts(steps.filter(unusual), _size() * _NEAR)


def _verdicts(steps: pl.DataFrame, near: pl.Expr) -> pl.DataFrame:
    """VERDICTS of splits whose prices show a `_step` (logarithm).

    It is near none where the split is worked in, and near that of the split where it is not; where
    it is near neither, nothing is known.
    """
    none = pl.col("_step").abs() <= near
    whole = (pl.col("_step") + pl.col("value").log()).abs() <= near
    return steps.select(*_EVENT, worked_in=pl.when(none | whole).then(none))


def _size() -> pl.Expr:
    return pl.col("value").log().abs()


def _usual_steps(edges: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, usual: the median step from a close to the next opening (logarithm)."""
    step = (pl.col("open") / pl.col("close").shift(1).over("symbol")).log().abs()
    steps = edges.sort("symbol", "session").with_columns(_step=step)
    found = pl.col("_step")
    told = pl.when(found.count() >= _ENOUGH).then(found.median()).otherwise(_USUAL_STEP)
    return steps.group_by("symbol").agg(usual=told.clip(lower_bound=_LEAST_STEP))


def _edges(bars: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, session, open (of the first bar), close (of the last); prices that can be."""
    prices = pl.col("open", "close")
    sound = bars.filter(pl.all_horizontal(prices.is_finite(), prices > 0))
    return (
        sound.sort("symbol", "ts")
        .group_by("symbol", "session")
        .agg(pl.col("open").first(), pl.col("close").last())
    )


def _on_basis_of(bars: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """What is kept in the meaning of an answer's bars, with what is noted of it."""
    meanings = {text: str(basis.as_asked) for text, basis in bases_of(kept).items()}
    same = [text for text, meaning in meanings.items() if meaning in bars["basis"]]
    return (
        kept.filter(pl.col("basis").is_in(same))
        .select("symbol", "session", "ts", "open", "close", "basis", known_since="fetched_at")
        .join(notes_of(kept), on="basis")
    )


def _with_notes(raw: pl.DataFrame, notes: pl.DataFrame) -> pl.DataFrame:
    """The rows before the last open ex-date, their basis with the days of the notes."""
    days = ["lacks_from", "unclear_from"]
    marked = raw.join(notes, on="symbol", how="left", maintain_order="left").with_columns(
        _open=(pl.col("session") < pl.col("_until")).fill_null(value=False) & _is_adjusted(raw)
    )
    kinds = marked.filter("_open").select("basis", *days).unique()
    texts = [
        str(replace(Basis.parse(text), lacks_from=lacks, unclear_from=unclear))
        for text, lacks, unclear in kinds.iter_rows()
    ]
    renamed = kinds.with_columns(_open=pl.lit(value=True), _text=pl.Series(texts, dtype=pl.String))
    return (
        marked.join(
            renamed,
            on=["basis", *days, "_open"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        .with_columns(basis=pl.coalesce("_text", "basis"))
        .select(raw.columns)
    )


def _is_adjusted(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row's prices are adjusted for splits."""
    return pl.col("basis").is_in(list(bases_of(rows, Adjustment.SPLITS)))
