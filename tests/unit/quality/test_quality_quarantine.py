"""The checks of the log of refused rows, on rows written down by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_data.quality.findings import CheckOutcome
from market_data.quality.quarantine_checks import CHECKS, SHARES, evaluate_quarantine
from market_data.schemas import QUARANTINE, REFUSED_ROWS

DAY = date(2024, 2, 13)
SEEN = datetime(2024, 2, 14, tzinfo=UTC)


def logged(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Rows of the log: what the row is, why it was refused, what became of it."""
    return pl.DataFrame(
        [
            (f"{row}|{why}", "acme", "1d", "AAA", SEEN, DAY, "curate", why, row, "f1", SEEN, status)
            for row, why, status in rows
        ],
        schema={**QUARANTINE.dtypes, "status": pl.String()},
        orient="row",
    ).pipe(REFUSED_ROWS.conform)


def refused(*rows: tuple[str, str]) -> pl.DataFrame:
    """Rows that curation refuses now: what the row is, and why."""
    return QUARANTINE.conform(logged(*((row, why, "open") for row, why in rows)))


def shares(*of: tuple[int, int], timeframe: str = "1d", end: date = DAY) -> pl.DataFrame:
    """Rows and refused rows of the days up to one."""
    days = [end - timedelta(days=len(of) - 1 - n) for n in range(len(of))]
    rows = [("AAA", timeframe, day, *counts) for day, counts in zip(days, of, strict=True)]
    return pl.DataFrame(rows, schema=SHARES, orient="row")


def judged(
    log: pl.DataFrame, now: pl.DataFrame, counted: pl.DataFrame | None = None, limit: float = 0.05
) -> dict[str, CheckOutcome]:
    held = pl.DataFrame({"symbol": ["AAA"], "session": [DAY]})
    told = pl.DataFrame(schema=SHARES) if counted is None else counted
    return evaluate_quarantine(log, now, told, held=held, sessions=(DAY, DAY), refused_shift=limit)


def codes(outcomes: dict[str, CheckOutcome]) -> list[tuple[str, str, str, int]]:
    frames = [o.findings.select("check", "code", "severity", "rows") for o in outcomes.values()]
    return pl.concat(frames).rows()


@pytest.mark.parametrize(
    ("log", "now", "expected"),
    [
        ([("a", "ohlc", "open")], [("a", "ohlc")], []),
        ([], [("a", "ohlc"), ("b", "ohlc")], [("coverage", "not_kept", "error", 2)]),
        ([("a", "ohlc", "open")], [], [("staleness", "no_longer_refused", "warn", 1)]),
        # Mended, tried again with success, or dropped: nobody waits for these.
        ([("a", "ohlc", s) for s in ("resolved", "replayed", "dropped")], [], []),
        # One row for two reasons, and only one of them is left.
        (
            [("a", "ohlc,price_range", "open")],
            [("a", "ohlc")],
            [("staleness", "refused_otherwise", "warn", 1)],
        ),
        (
            [("a", "ohlc", "resolved")],
            [("a", "ohlc")],
            [("staleness", "refused_otherwise", "warn", 1)],
        ),
        # Somebody has dropped it: that it is refused is no news.
        ([("a", "ohlc", "dropped")], [("a", "ohlc")], []),
        (
            [("a", "ohlc,price_range", "resolved"), ("a", "ohlc", "open")],
            [("a", "ohlc")],
            [],
        ),
    ],
)
def test_the_log_against_what_is_refused_now(log, now, expected) -> None:
    outcomes = judged(logged(*log), refused(*now))
    assert list(outcomes) == list(CHECKS)
    assert codes(outcomes) == expected


def test_rows_that_a_reader_refused_are_in_no_raw_log_to_compare_with() -> None:
    unread = logged(("a", "bad_close", "open")).with_columns(stage=pl.lit("fetch"))
    assert codes(judged(unread, refused())) == []
    # Nor is a row of curation kept by one of a reader.
    assert codes(judged(unread, refused(("a", "ohlc")))) == [("coverage", "not_kept", "error", 1)]


def test_what_is_measured_and_shown() -> None:
    outcome = judged(logged(("a", "ohlc", "open")), refused(("a", "ohlc"), ("b", "future")))
    coverage = outcome["coverage"]
    assert coverage.measured.rows() == [("AAA", DAY, 2, 1, 0.5)]
    assert coverage.rows.select("reasons", "row").rows() == [("future", "b")]
    assert coverage.findings.select("value", "threshold", "detail").rows() == [
        (0.5, 1.0, "1 refused row(s) are kept nowhere: future")
    ]


STATUSES = st.sampled_from(["open", "resolved", "replayed", "dropped"])
NAMED = st.sampled_from([(row, why) for row in "abc" for why in "xy"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMED, STATUSES, max_size=6), st.sets(NAMED, max_size=6))
def test_every_row_is_told_of_once_and_settling_ends_it(log, now) -> None:
    """Against sets: which rows are lost, needlessly open, or spoken of otherwise."""
    outcomes = judged(logged(*((*k, s) for k, s in log.items())), refused(*now))
    kept = {row for row, _ in log}
    wanted = {
        "not_kept": {k for k in now if k[0] not in kept},
        "no_longer_refused": {
            k for k, s in log.items() if s == "open" and k[0] not in {row for row, _ in now}
        },
        "refused_otherwise": {
            k for k in now if k[0] in kept and log.get(k) not in ("open", "dropped")
        },
    }
    found = {code: rows for _, code, _, rows in codes(outcomes)}
    assert found == {code: len(rows) for code, rows in wanted.items() if rows}
    # What curating again writes down.
    settled = {k: "resolved" if s == "open" and k not in now else s for k, s in log.items()}
    settled |= {k: "open" for k in now if settled.get(k) != "dropped"}
    after = judged(logged(*((*k, s) for k, s in settled.items())), refused(*now))
    assert codes(after) == []


def test_a_word_that_nobody_knows_and_another_shape() -> None:
    log = logged(("a", "ohlc", "open"))
    strange = log.with_columns(stage=pl.lit("landing"))
    assert codes(judged(strange, refused())) == [("schema", "schema", "error", 1)]
    empty = log.with_columns(row=pl.lit(None, pl.String))
    assert ("schema", "schema", "error", 1) in codes(judged(empty, refused()))
    other = judged(log.drop("status"), refused(("a", "ohlc")))
    assert {code for _, code, *_ in codes(other)} == {"schema", "not_judged"}
    assert set(other) == set(CHECKS)


def test_a_larger_share_than_before() -> None:
    usual = [(100, 2)] * 20
    outcomes = judged(logged(), refused(), shares(*usual, (100, 9)))
    assert codes(outcomes) == [("drift", "refused_shift", "warn", 9)]
    (finding,) = outcomes["drift"].findings.iter_rows(named=True)
    assert finding["value"] == pytest.approx(0.07)
    assert finding["threshold"] == 0.05
    assert finding["detail"] == (
        "9.0 % of the 1d rows are refused, in the sessions before it was 2.0 %"
    )
    assert codes(judged(logged(), refused(), shares(*usual, (100, 7)))) == []
    assert codes(judged(logged(), refused(), shares(*usual, (100, 7)), limit=0.04)) != []
    # A smaller share is no trouble.
    assert codes(judged(logged(), refused(), shares(*usual, (100, 0)))) == []


def test_a_session_is_compared_with_twenty_and_at_least_five() -> None:
    assert codes(judged(logged(), refused(), shares(*[(100, 0)] * 4, (100, 50)))) == []
    assert codes(judged(logged(), refused(), shares(*[(100, 0)] * 5, (100, 50)))) != []
    # Sessions of longer ago are forgotten.
    old, new = [(100, 50)] * 30, [(100, 0)] * 11
    assert codes(judged(logged(), refused(), shares(*old, *new, (100, 50)))) != []
    assert codes(judged(logged(), refused(), shares(*old, *new[:9], (100, 50)))) == []


def test_hours_are_not_hidden_by_minutes_and_rows_without_bars_count() -> None:
    minutes = shares(*[(390, 0)] * 21, timeframe="1m")
    hours = shares(*[(7, 0)] * 20, (0, 7), timeframe="1h")
    outcomes = judged(logged(), refused(), pl.concat([minutes, hours]))
    assert outcomes["drift"].findings["value"].to_list() == [1.0]
    assert outcomes["drift"].rows["timeframe"].to_list() == ["1h"]
