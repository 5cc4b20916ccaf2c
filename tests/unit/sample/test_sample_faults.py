"""Every planted error is really there, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from adapters.vendors.sample.faults import PLANTED, FaultKind, PlantedFault
from adapters.vendors.sample.instruments import INSTRUMENTS
from adapters.vendors.sample.vendor import SampleVendor
from market_data.calendars import is_session, with_session
from market_data.ports import FetchRequest, FetchResult, SymbolRequest
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

NOW = datetime(2024, 6, 1, tzinfo=UTC)
KEY = ["symbol", "ts"]


def name(fault: PlantedFault) -> str:
    return f"{fault.vendor}-{fault.symbol}-{fault.timeframe}-{fault.session}-{fault.kind}"


def answer(
    fault: PlantedFault, *, faults: bool, now: datetime = NOW, days: int = 1
) -> list[FetchResult]:
    demo = INSTRUMENTS[fault.symbol]
    instrument = Instrument(
        symbol=fault.symbol, asset_class=demo.asset_class, calendar=demo.calendar
    )
    start = datetime.combine(fault.session, time(), UTC)
    end = start + timedelta(days=days)
    if fault.timeframe.is_intraday:
        start -= timedelta(hours=4)
        end += timedelta(hours=4)
    request = FetchRequest(
        (SymbolRequest(instrument, fault.symbol),), fault.timeframe, start, end, now
    )
    return list(SampleVendor(fault.vendor, faults=faults).fetch(request))


def session_rows(fault: PlantedFault, *, faults: bool, now: datetime = NOW) -> pl.DataFrame:
    """The rows that a vendor gives for the session."""
    frame = pl.concat([r.frame for r in answer(fault, faults=faults, now=now)])
    if not fault.timeframe.is_intraday:
        return frame.filter(pl.col("ts").dt.date() == fault.session)
    labelled = with_session(frame, INSTRUMENTS[fault.symbol].calendar)
    return labelled.filter(pl.col("session").eq_missing(fault.session)).drop("session")


def rows_before_and_after(fault: PlantedFault) -> tuple[pl.DataFrame, pl.DataFrame]:
    return session_rows(fault, faults=False), session_rows(fault, faults=True)


def concerned(fault: PlantedFault, rows: int) -> int:
    first, last = (n if n >= 0 else rows + n for n in fault.bars)
    return last - first + 1


def of_kind(*kinds: FaultKind) -> pytest.MarkDecorator:
    chosen = [f for f in PLANTED if f.kind in kinds]
    assert chosen
    return pytest.mark.parametrize("fault", chosen, ids=name)


def test_every_kind_is_planted_in_a_session_of_the_demonstration() -> None:
    assert {f.kind for f in PLANTED} == set(FaultKind)
    for fault in PLANTED:
        assert is_session(INSTRUMENTS[fault.symbol].calendar, fault.session), name(fault)
        first = date(2024, 3, 8) if fault.timeframe is Timeframe.M1 else date(2024, 2, 1)
        last = date(2024, 3, 12) if fault.timeframe is Timeframe.M1 else date(2024, 3, 28)
        assert first <= fault.session <= last, name(fault)


def test_two_errors_never_share_a_series_and_session() -> None:
    series = [(f.vendor, f.symbol, f.timeframe, f.session) for f in PLANTED]
    assert len(series) == len(set(series))


@pytest.mark.parametrize("vendor", ["sample_a", "sample_b"])
def test_nothing_else_is_changed(vendor: str) -> None:
    for symbol, demo in INSTRUMENTS.items():
        instrument = Instrument(symbol=symbol, asset_class=demo.asset_class, calendar=demo.calendar)
        frames = []
        for faults in (True, False):
            request = FetchRequest(
                (SymbolRequest(instrument, symbol),),
                Timeframe.D1,
                datetime(2024, 1, 2, tzinfo=UTC),
                datetime(2024, 5, 1, tzinfo=UTC),
                NOW,
            )
            results = SampleVendor(vendor, faults=faults).fetch(request)
            frames.append(pl.concat([r.frame for r in results]))
        known = [
            f.session
            for f in PLANTED
            if (f.vendor, f.symbol, f.timeframe) == (vendor, symbol, Timeframe.D1)
        ]
        clean = [f.filter(~pl.col("ts").dt.date().is_in(known)) for f in frames]
        assert clean[0].equals(clean[1])


@of_kind(FaultKind.GAP, FaultKind.STALE_TAIL)
def test_missing_bars_are_missing(fault: PlantedFault) -> None:
    before, after = rows_before_and_after(fault)
    gone = before.join(after, on=KEY, how="anti")
    # The second vendor loses some minutes of its own.
    share = 1.0 if fault.vendor == "sample_a" else 0.97
    size = 1440 if INSTRUMENTS[fault.symbol].calendar == "fx" else 390
    expected = concerned(fault, size) if fault.timeframe is Timeframe.M1 else 1
    assert share * expected <= gone.height <= expected
    if fault.kind is FaultKind.STALE_TAIL:
        assert gone["ts"].min() > after["ts"].max()


@of_kind(FaultKind.LATE)
def test_late_bars_arrive(fault: PlantedFault) -> None:
    arrives = fault.visible_from
    assert arrives is not None
    early = session_rows(fault, faults=True, now=arrives - timedelta(seconds=1))
    late = session_rows(fault, faults=True, now=arrives)
    assert late.equals(session_rows(fault, faults=False))
    assert late.height - early.height == concerned(fault, late.height)


@of_kind(FaultKind.DUPLICATE)
def test_duplicates_are_equal_in_every_cell(fault: PlantedFault) -> None:
    before, after = rows_before_and_after(fault)
    assert after.height - before.height == concerned(fault, before.height)
    assert after.unique(maintain_order=True).equals(before)


@of_kind(FaultKind.CONTRADICTION)
def test_contradictions_differ_in_price_alone(fault: PlantedFault) -> None:
    before, after = rows_before_and_after(fault)
    twice = after.filter(pl.struct(KEY).is_duplicated())
    assert twice.height == 2
    assert twice["close"][1] / twice["close"][0] == pytest.approx(1 + fault.size)
    assert after.height == before.height + 1


@of_kind(FaultKind.SPIKE, FaultKind.DRIFT)
def test_moved_prices(fault: PlantedFault) -> None:
    before, after = rows_before_and_after(fault)
    both = before.join(after, on=KEY, suffix="_x")
    assert both.height == before.height == after.height
    ratio = (both["close_x"] / both["close"]).round(6)
    touched = ratio.filter(ratio != 1.0)
    assert set(touched) == {round(1 + fault.size, 6)}
    assert len(touched) == (
        before.height if fault.kind is FaultKind.DRIFT else concerned(fault, before.height)
    )
    sound = pl.max_horizontal(*PRICES) == pl.col("high")
    assert after.select(sound.all()).item()


@of_kind(FaultKind.BAD_OHLC)
def test_high_lies_below_low(fault: PlantedFault) -> None:
    _, after = rows_before_and_after(fault)
    assert after.filter(pl.col("high") < pl.col("low")).height == 1


@of_kind(FaultKind.DST_HOUR)
def test_the_hour_of_the_clock_change_is_wrong(fault: PlantedFault) -> None:
    frames = [pl.concat([r.frame for r in answer(fault, faults=f)]) for f in (False, True)]
    right, wrong = frames
    assert right["ts"].min() == datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    assert wrong["ts"].min() == datetime(2024, 3, 11, 14, 30, tzinfo=UTC)
    assert (wrong["ts"] - right["ts"]).unique().to_list() == [timedelta(hours=1)]
    close = datetime(2024, 3, 11, 20, tzinfo=UTC)
    assert (
        wrong.filter(pl.col("ts") >= close).height
        == right.filter(pl.col("ts") >= close - timedelta(hours=1)).height
        > 50
    )


@of_kind(FaultKind.SPLIT)
def test_the_split_halves_the_price_and_is_reported(fault: PlantedFault) -> None:
    frame = pl.concat([r.frame for r in answer(fault, faults=True, days=1)])
    actions = pl.concat([r.actions for r in answer(fault, faults=True)])
    split = actions.filter(pl.col("kind") == "split").row(0, named=True)
    assert (split["symbol"], split["ex_date"], split["value"]) == (
        fault.symbol,
        fault.session,
        2.0,
    )
    assert split["known_at"] == datetime(2024, 2, 20, tzinfo=UTC)
    instrument = Instrument(
        symbol=fault.symbol, asset_class=INSTRUMENTS[fault.symbol].asset_class, calendar="XNYS"
    )
    friday = FetchRequest(
        (SymbolRequest(instrument, fault.symbol),),
        Timeframe.D1,
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(2024, 3, 2, tzinfo=UTC),
        NOW,
    )
    before = pl.concat([r.frame for r in SampleVendor(fault.vendor).fetch(friday)])
    assert 0.45 < frame["close"][0] / before["close"][0] < 0.55


def test_an_action_is_not_told_before_it_is_announced() -> None:
    fault = next(f for f in PLANTED if f.kind is FaultKind.SPLIT)
    early = datetime(2024, 2, 1, tzinfo=UTC)
    assert pl.concat([r.actions for r in answer(fault, faults=True, now=early)]).is_empty()
