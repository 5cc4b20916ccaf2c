"""Corporate actions: revisions, knowledge time, several sources."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.operations import SqlActionLog, writing
from market_data.errors import SchemaError
from market_data.ports.operations import ActionLog
from market_data.schemas import CORPORATE_ACTIONS
from tests.support.operations_file import open_new

JAN = datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
EX = date(2020, 8, 31)


def action(**changes: object) -> dict[str, object]:
    return {
        "symbol": "AAPL",
        "ex_date": EX,
        "kind": "split",
        "value": 4.0,
        "source": "yahoo",
        "known_at": JAN,
        **changes,
    }


def frame(*actions: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(actions), schema=CORPORATE_ACTIONS.dtypes)


def days(n: int) -> datetime:
    return JAN + timedelta(days=n)


def test_actions_come_back_sorted(engine: sa.Engine) -> None:
    log: ActionLog = SqlActionLog(engine)
    actions = frame(
        action(symbol="TSLA", value=5.0),
        action(kind="dividend", value=0.205),
        action(),
        action(ex_date=date(2014, 6, 9), value=7.0),
    )
    assert log.add(actions, now=JAN) == 4
    read = log.read()
    CORPORATE_ACTIONS.check(read)
    assert_frame_equal(read, actions.sort("symbol", "ex_date", "kind"))
    assert log.read(symbols=["TSLA", "x"])["value"].to_list() == [5.0]
    assert log.read(symbols=[]).is_empty()
    assert_frame_equal(log.read(known_at=days(-1)), CORPORATE_ACTIONS.empty())


def test_a_value_that_is_known_adds_nothing(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    assert log.add(frame(action(), action()), now=JAN) == 1
    assert log.add(frame(action(), action(known_at=days(3))), now=days(3)) == 0
    assert log.add(CORPORATE_ACTIONS.empty(), now=days(3)) == 0
    assert log.read()["known_at"].to_list() == [JAN]


def test_a_revision_is_kept_beside_what_it_revises(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action()), now=JAN)
    assert log.add(frame(action(value=4.1, known_at=days(1))), now=JAN) == 1
    assert log.add(frame(action(known_at=days(2))), now=JAN) == 1
    seen = [log.read(known_at=days(n))["value"].to_list() for n in (-1, 0, 1, 2)]
    assert seen == [[], [4.0], [4.1], [4.0]]
    assert log.read()["known_at"].to_list() == [days(2)]


def test_a_changed_value_does_not_reach_back(engine: sa.Engine) -> None:
    """A vendor states every action with the same assumed time, the changed ones too."""
    log = SqlActionLog(engine)
    log.add(frame(action()), now=days(1))
    assert log.add(frame(action(value=5.0)), now=days(3)) == 1
    assert log.add(frame(action(value=5.0)), now=days(4)) == 0
    assert [log.read(known_at=days(n))["value"].item() for n in (0, 2, 3)] == [4.0, 4.0, 5.0]
    assert log.add(frame(action()), now=days(6)) == 1
    assert [log.read(known_at=days(n))["value"].item() for n in (2, 5, 6)] == [4.0, 5.0, 4.0]
    assert log.read()["known_at"].to_list() == [days(6)]


def test_a_change_is_not_known_before_what_it_changes(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action(known_at=days(5))), now=JAN)
    assert log.add(frame(action(value=5.0)), now=days(1)) == 1
    assert log.read(known_at=days(4)).is_empty()
    assert log.read()["value"].to_list() == [5.0]


def test_the_first_word_of_another_source_or_day_keeps_its_assumed_time(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action()), now=JAN)
    others = frame(action(source="lean", value=5.0), action(ex_date=date(2014, 6, 9)))
    assert log.add(others, now=days(9)) == 2
    assert log.read()["known_at"].to_list() == [JAN, JAN]


def test_revisions_of_one_frame_are_taken_in_the_order_of_knowledge(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    history = [action(value=v, known_at=days(n)) for n, v in enumerate([3.0, 3.0, 2.0, 2.0, 3.0])]
    assert log.add(frame(*reversed(history)), now=days(4)) == 3
    assert log.add(frame(*history), now=days(5)) == 0
    assert [log.read(known_at=days(n))["value"].item() for n in range(5)] == [3, 3, 2, 2, 3]


def test_a_correction_at_the_same_time_stands(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    for value in (3.0, 4.0, 3.0):
        assert log.add(frame(action(value=value)), now=JAN) == 1
        assert log.read(known_at=JAN)["value"].to_list() == [value]


def test_a_source_that_contradicts_itself_is_refused(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    with pytest.raises(SchemaError, match="AAPL on 2020-08-31"):
        log.add(frame(action(), action(value=5.0)), now=JAN)
    assert log.read().is_empty()


def test_sources_that_state_one_action_count_once(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    stated = frame(action(source="yahoo"), action(source="lean"), action(source="z"))
    assert log.add(stated, now=JAN) == 3
    assert log.read()["source"].to_list() == ["lean"]
    log.add(frame(action(source="quandl", value=4.5, known_at=days(1))), now=days(1))
    assert log.read().select("source", "value").rows() == [("quandl", 4.5)]
    assert log.read(known_at=JAN).select("source", "value").rows() == [("lean", 4.0)]


@pytest.mark.parametrize("other_day", [date(2020, 8, 28), date(2020, 9, 2)])
def test_sources_that_put_one_action_on_neighbouring_days_count_once(
    engine: sa.Engine, other_day: date
) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action(), action(source="lean", ex_date=other_day, known_at=days(1))), now=JAN)
    assert log.read()["source"].to_list() == ["lean"]
    assert log.read(known_at=JAN)["source"].to_list() == ["yahoo"]


@pytest.mark.parametrize(("kind", "value"), [("split", 1.1), ("dividend", 0.25)])
def test_like_actions_on_days_that_one_source_states_both_count_both(
    engine: sa.Engine, kind: str, value: float
) -> None:
    """Whoever's word stands for each of them."""
    log = SqlActionLog(engine)
    one = action(kind=kind, value=value)
    two = {**one, "ex_date": date(2020, 9, 2)}
    log.add(frame(one), now=JAN)
    late = {"source": "csv", "known_at": days(20)}
    log.add(frame({**one, "source": "csv"}, {**two, **late}), now=days(20))
    assert log.read().height == 2
    log.add(frame(one, {**two, "known_at": days(30)}), now=days(30))
    assert log.read().select("ex_date", "source").rows() == [
        (date(2020, 8, 31), "csv"),
        (date(2020, 9, 2), "yahoo"),
    ]


def test_a_dividend_that_a_source_rounds_on_a_neighbouring_day_counts_once(
    engine: sa.Engine,
) -> None:
    log = SqlActionLog(engine)
    exact = action(kind="dividend", value=20.0)
    rounded = {**exact, "value": 20.0001, "source": "lean", "ex_date": date(2020, 9, 1)}
    log.add(frame(exact, rounded), now=JAN)
    assert log.read()["source"].to_list() == ["lean"]


def test_what_its_source_takes_back_counts_no_more_and_did_before(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action()), now=JAN)
    assert log.add(frame(action(value=1.0, known_at=days(3))), now=days(3)) == 1
    assert log.read().is_empty()
    assert log.read(known_at=days(2))["value"].to_list() == [4.0]
    assert log.add(frame(action()), now=days(5)) == 1
    assert log.read()["known_at"].to_list() == [days(5)]


def test_a_source_takes_back_its_own_word_and_not_that_of_others(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action(), action(source="lean")), now=JAN)
    log.add(frame(action(value=1.0, known_at=days(1))), now=days(1))
    assert log.read()["source"].to_list() == ["lean"]


def test_somebody_who_never_said_it_says_that_there_was_none(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    log.add(frame(action(), action(kind="dividend", value=0.2)), now=JAN)
    none = {"source": "withdrawal", "known_at": days(1)}
    log.add(frame(action(value=1.0, **none)), now=days(1))
    assert log.read()["kind"].to_list() == ["dividend"]
    log.add(frame(action(kind="dividend", value=0.0, **none)), now=days(1))
    assert log.read().is_empty()
    log.add(frame(action(value=5.0)), now=days(2))
    assert log.read()["value"].to_list() == [5.0]
    log.add(frame(action(value=1.0, **{**none, "known_at": days(3)})), now=days(3))
    assert log.read().is_empty()


def test_actions_that_only_look_alike_are_all_kept(engine: sa.Engine) -> None:
    log = SqlActionLog(engine)
    actions = frame(
        action(),
        action(ex_date=date(2020, 9, 1)),
        action(ex_date=date(2020, 9, 2), source="lean", value=5.0),
        action(ex_date=date(2020, 9, 7), source="yahoo", value=5.0),
        action(ex_date=date(2020, 9, 1), source="lean", kind="dividend"),
        action(ex_date=date(2020, 9, 1), source="lean", symbol="B"),
    )
    log.add(actions, now=JAN)
    assert_frame_equal(log.read(), actions.sort("symbol", "ex_date", "kind"))


statements = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([3.0, 2.0]), st.integers(0, 5)),
    unique_by=lambda s: (s[0], s[2]),
    max_size=8,
)


@pytest.fixture(scope="module")
def shared_log(tmp_path_factory: pytest.TempPathFactory) -> SqlActionLog:
    return SqlActionLog(open_new(f"sqlite:///{tmp_path_factory.mktemp('actions')}/o.sqlite"))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), drawn=statements)
def test_what_was_known_is_what_each_source_last_said(
    shared_log: SqlActionLog, data: st.DataObject, drawn: list[tuple[str, float, int]]
) -> None:
    with writing(shared_log._engine) as connection:
        connection.exec_driver_sql("delete from corporate_actions")
    cut = data.draw(st.integers(0, 5))
    told = [action(source=s, value=v, known_at=days(day)) for s, v, day in drawn]
    before = frame(*(a for a in told if a["known_at"] <= days(cut)))  # type: ignore[operator]
    after = frame(*(a for a in told if a["known_at"] > days(cut)))  # type: ignore[operator]
    shared_log.add(before, now=days(cut))
    for day in range(cut + 1, 6):
        shared_log.add(after.filter(pl.col("known_at") == days(day)), now=days(day))
    assert shared_log.add(frame(*told), now=days(6)) == 0
    for day in (cut, 5):
        newest = {s: v for s, v, d in sorted(drawn, key=lambda s: s[2]) if d <= day}
        read = shared_log.read(known_at=days(day))
        assert read.height == min(1, len(newest))
        if read.height:
            assert read["value"].item() == newest[read["source"].item()]
