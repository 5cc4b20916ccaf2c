"""Splits that come with an answer: whether its prices show that they are worked in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from market_data.basis import Basis
from market_data.calendars import trading_sessions
from market_data.corporate_actions.told_early import judged, noted, told_lately
from market_data.schemas import CORPORATE_ACTIONS, RAW_BARS
from tests.support.raw_rows import raw_rows

DAYS: list[date] = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 1, 24))[
    "session"
].to_list()
EX = DAYS[8]
AT = datetime.combine(EX, time(20), UTC)
ADJUSTED = "splits|trade||regular|"
STEPS = (0.004, -0.006, 0.003, -0.005, 0.006, -0.004, 0.005, -0.003)
"""From one close to the next opening, on ordinary days."""


def answer(
    *values: float,
    divided: bool,
    first: int = 0,
    last: int = 10,
    at: datetime = AT,
    news: float = 0.0,
    steps: tuple[float, ...] = STEPS,
) -> pl.DataFrame:
    """Bars of the sessions first to last; on the ex-date prices move by news besides the split."""
    price, closes, opens = 400.0, [], []
    ratio = 1.0
    for value in values:
        ratio *= value
    for number, day in enumerate(DAYS[: last + 1]):
        step = steps[number % len(steps)] + (news if day == EX else 0.0)
        price *= (1 + step) * (1 / ratio if day == EX else 1)
        scale = 1 / ratio if divided and day < EX else 1.0
        opens.append(price * scale)
        closes.append(price * scale)
    rows = raw_rows(first=DAYS[0], last=DAYS[last], basis=ADJUSTED, fetched_at=at)
    told = rows.with_columns(
        open=pl.Series(opens), close=pl.Series(closes), high=pl.Series(opens), low=pl.Series(opens)
    )
    return told.filter(pl.col("session") >= DAYS[first])


def said(*values: float, known_at: datetime | None = None) -> pl.DataFrame:
    known = known_at or datetime.combine(EX, time(), UTC)
    rows = [("AAA", EX, "split", value, "alpha", known) for value in values]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def shown(raw: pl.DataFrame, value: float, kept: pl.DataFrame | None = None) -> bool | None:
    """Whether the split is worked in, as far as the prices show it."""
    splits = told_lately(raw, said(value), calendar="XNYS")
    known = RAW_BARS.empty() if kept is None else kept
    return judged(raw, splits, known).row(0)[-1]


@pytest.mark.parametrize("value", [4.0, 2.0, 1.5, 0.5, 0.1, 1 / 30, 20.0, 1.25])
@pytest.mark.parametrize("divided", [True, False])
def test_the_step_across_the_ex_date_shows_it(value: float, divided: bool) -> None:
    assert shown(answer(value, divided=divided), value) is divided


@pytest.mark.parametrize(
    ("value", "news"), [(4.0, -0.3), (4.0, 0.4), (2.0, 0.2), (2.0, -0.2), (0.1, -0.5), (1.5, 0.1)]
)
@pytest.mark.parametrize("divided", [True, False])
def test_news_of_the_day_do_not_pass_for_a_split(value: float, news: float, divided: bool) -> None:
    assert shown(answer(value, divided=divided, news=news), value) is divided


@pytest.mark.parametrize(("value", "news"), [(2.0, -0.3), (1.5, 0.4), (2.0, 1.0)])
def test_what_lies_between_shows_nothing(value: float, news: float) -> None:
    assert shown(answer(value, divided=True, news=news), value) is None


@pytest.mark.parametrize(("value", "news"), [(1.05, -0.05), (1.1, -0.09), (0.9, 0.1), (1.05, 0.0)])
@pytest.mark.parametrize("divided", [True, False])
def test_no_step_tells_a_stock_dividend_from_news(value: float, news: float, divided: bool) -> None:
    raw = answer(value, divided=divided, news=news)
    assert shown(raw, value) is None
    before = answer(value, divided=False, last=7, at=AT - timedelta(days=2))
    assert shown(raw, value, before) is divided


def test_of_a_symbol_that_jumps_every_day_a_small_split_shows_nothing() -> None:
    wild = tuple(step * 10 for step in STEPS)
    for divided in (True, False):
        assert shown(answer(1.25, divided=divided, steps=wild), 1.25) is None
        assert shown(answer(4.0, divided=divided, steps=wild), 4.0) is divided


@pytest.mark.parametrize("divided", [True, False])
def test_bars_from_before_an_older_split_too_say_nothing_of_a_newer_one(divided: bool) -> None:
    """Divided by the older one since, they look as if they were divided by the newer one."""
    old, at = DAYS[1], datetime.combine(DAYS[11], time(20), UTC)
    stated = pl.lit(datetime.combine(old, time(), UTC))
    older = said(4.0).with_columns(ex_date=pl.lit(old), known_at=stated)
    raw = answer(4.0, divided=divided, last=7, at=at)
    splits = told_lately(raw, pl.concat([older, said(4.0)]), calendar="XNYS")
    assert splits["late"].to_list() == [False, True]
    night = answer(4.0, divided=False, last=0, at=datetime.combine(DAYS[0], time(23), UTC))
    before = night.with_columns(pl.col("open", "high", "low", "close") * 4)
    assert judged(raw, splits, before).rows() == [("AAA", EX, None)]
    eve = datetime.combine(DAYS[7], time(23), UTC)
    between = answer(4.0, divided=False, first=1, last=7, at=eve)
    assert judged(raw, splits, pl.concat([before, between])).rows() == [("AAA", EX, divided)]


@pytest.mark.parametrize("divided", [True, False])
@pytest.mark.parametrize(("first", "last"), [(0, 7), (5, 7), (7, 7)])
def test_bars_of_before_show_it_where_the_answer_does_not(
    divided: bool, first: int, last: int
) -> None:
    raw = answer(1.05, divided=divided, first=first, last=last)
    before = answer(1.05, divided=False, last=7, at=AT - timedelta(days=2))
    assert shown(raw, 1.05) is None
    assert shown(raw, 1.05, before) is divided
    # What is known to lack it says as much, and what may lack it nothing.
    since = before.with_columns(fetched_at=pl.lit(AT - timedelta(hours=3)))
    lacking = since.with_columns(basis=pl.lit(str(Basis.parse(f"{ADJUSTED}||{EX}"))))
    assert shown(raw, 1.05, lacking) is divided
    unclear = since.with_columns(basis=pl.lit(str(Basis.parse(f"{ADJUSTED}|||{EX}"))))
    assert shown(raw, 1.05, unclear) is None
    assert shown(raw, 1.05, since) is None


@pytest.mark.parametrize("divided", [True, False])
def test_bars_from_the_ex_date_on_may_have_come_before(divided: bool) -> None:
    raw = answer(4.0, divided=divided, last=7)
    assert shown(raw, 4.0, answer(4.0, divided=True, first=8)) is divided


def test_a_gap_in_the_answer_shows_nothing() -> None:
    raw = answer(4.0, divided=False, last=14).filter(
        (pl.col("session") <= DAYS[5]) | (pl.col("session") >= DAYS[12])
    )
    assert shown(raw, 4.0) is None


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        (answer(4.0, divided=True, first=8), None),
        (answer(4.0, divided=False).with_columns(basis=pl.lit("raw|trade||regular|")), None),
        (answer(4.0, divided=False), datetime.combine(EX, time(10), UTC)),
        (answer(4.0, divided=False), AT + timedelta(days=30)),
    ],
    ids=["nothing before", "as traded", "before the opening", "long ago"],
)
def test_nothing_is_to_be_judged(raw: pl.DataFrame, at: datetime | None) -> None:
    asked = raw if at is None else raw.with_columns(fetched_at=pl.lit(at))
    assert told_lately(asked, said(4.0), calendar="XNYS").is_empty()


def days_of(raw: pl.DataFrame, value: float) -> set[str]:
    """What the bases of an answer's rows say, behind their fifth field."""
    splits = told_lately(raw, said(value), calendar="XNYS")
    marked = noted(raw, splits, judged(raw, splits, RAW_BARS.empty()))
    assert marked.drop("basis").equals(raw.drop("basis"))
    after = marked.filter(pl.col("session") >= EX)
    assert set(after["basis"]) <= {ADJUSTED}
    before = marked.filter(pl.col("session") < EX)["basis"].unique()
    return {text.removeprefix(ADJUSTED) for text in before}


def test_the_basis_names_the_day_of_what_is_lacking_or_unclear() -> None:
    assert days_of(answer(4.0, divided=True), 4.0) == {""}
    assert days_of(answer(4.0, divided=False), 4.0) == {f"||{EX}"}
    assert days_of(answer(4.0, divided=False, last=7), 4.0) == {f"|||{EX}"}
    late = AT + timedelta(days=3)
    assert days_of(answer(4.0, divided=False, at=late), 4.0) == {f"||{EX}"}
    # Two days after the ex-date a vendor has worked it in, where nothing says otherwise.
    assert days_of(answer(4.0, divided=True, last=7, at=late), 4.0) == {""}


def test_a_basis_says_its_days_and_reads_them_back() -> None:
    texts = [ADJUSTED, f"{ADJUSTED}|2024-01-05", f"{ADJUSTED}||{EX}", f"{ADJUSTED}|||{EX}"]
    assert [str(Basis.parse(text)) for text in texts] == texts
    assert {str(Basis.parse(text).as_asked) for text in (texts[0], *texts[2:])} == {ADJUSTED}
