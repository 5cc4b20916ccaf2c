"""The quarantine follows the curation: what is no longer refused is no longer open."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import sqlalchemy as sa

from adapters.operations import SqlQuarantineLog
from market_data.schemas import QUARANTINE
from market_data.timeframes import Timeframe

DAY = date(2024, 6, 28)
SLICE = {"timeframe": Timeframe.D1, "symbols": ["AAPL"], "sessions": (DAY, DAY)}


def refused(row_id: str, **changes: object) -> dict[str, object]:
    return {
        "row_id": row_id,
        "vendor": "lean",
        "timeframe": "1d",
        "symbol": "AAPL",
        "ts": datetime(2024, 6, 28, 13, 30, tzinfo=UTC),
        "session": DAY,
        "stage": "curate",
        "reasons": "ohlc",
        "row": "{}",
        "fetch_id": "f1",
        "seen_at": datetime(2024, 7, 1, tzinfo=UTC),
        **changes,
    }


def rows(*entries: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(entries), schema=QUARANTINE.dtypes)


def open_rows(log: SqlQuarantineLog) -> int:
    return log.counts(timeframe=Timeframe.D1, sessions=(DAY, DAY))["rows"].sum()


def test_a_row_that_is_no_longer_refused_is_closed_but_kept(engine: sa.Engine) -> None:
    log = SqlQuarantineLog(engine)
    assert log.settle(rows(refused("1"), refused("2")), **SLICE) == 2
    assert open_rows(log) == 2
    assert log.settle(rows(refused("2")), **SLICE) == 0
    assert open_rows(log) == 1
    assert log.read().height == 2


def test_a_row_that_is_refused_again_is_open_again(engine: sa.Engine) -> None:
    log = SqlQuarantineLog(engine)
    log.settle(rows(refused("1")), **SLICE)
    log.settle(QUARANTINE.empty(), **SLICE)
    assert open_rows(log) == 0
    log.settle(rows(refused("1")), **SLICE)
    assert open_rows(log) == 1


def test_only_the_slice_and_the_stage_are_settled(engine: sa.Engine) -> None:
    log = SqlQuarantineLog(engine)
    log.add(
        rows(
            refused("fetch", stage="fetch"),
            refused("other symbol", symbol="MSFT"),
            refused("other timeframe", timeframe="1m"),
            refused("other session", session=date(2024, 6, 27)),
        )
    )
    log.settle(QUARANTINE.empty(), **SLICE)
    assert log.counts(timeframe=Timeframe.D1, sessions=(date(2024, 6, 27), DAY))["rows"].sum() == 3
    assert log.counts(timeframe=Timeframe.M1, sessions=(DAY, DAY))["rows"].sum() == 1
