"""Trials of the detectors that look at a dataset as a whole: shapes, row counts, feeds, scores.

What belongs here: cells that are empty or of another type, answers whose fields change, rows that
somebody expects, feeds that stall while a session runs, scores that fall; and how the answers of
the checks are read. What does not: what one session holds (trials_of_sessions.py), counting
(trial.py).

Faults are counted in sessions, in answers where these have other fields. Beside each stands one
that is less than what is told of.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from benchmarks.planted import Kind, limits_of
from benchmarks.trial import Judged, Trial, is_sampled
from benchmarks.trials_of_sessions import chosen, judged_sessions, thinned, view_of
from market_data.answer_shapes import AnswerFields, differences, shape_of
from market_data.ports.shapes import CHANGES
from market_data.quality.coverage import measure_coverage
from market_data.quality.expectations import Expectation, Expectations, check_expectations
from market_data.quality.schema import check_schema
from market_data.quality.score_checks import evaluate_scores
from market_data.quality.shape_drift import check_shape_drift
from market_data.quality.staleness import check_staleness
from market_data.schemas import CURATED_BARS, SCORES

_EXPECTED = 0.9
"""Of the bars that a calendar has, the share that is expected to be there."""
_ANSWERS = 20
_FIELDS = AnswerFields(read=("bars[].t", "bars[].c"), varying=("events",))
_SYMBOLS = 10


def _empty_cells(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Some cells that are empty: of a column that promises values, or of one that does not."""
    wrong, allowed = chosen(bars, kind, chance)
    view = view_of(bars, kind)
    some = pl.int_range(pl.len()).over("session") < int(chance.integers(1, 6))
    column = str(chance.choice(["close", "source", "flags"]))

    def without(name: str, days: list[date]) -> pl.Expr:
        return pl.when(~(some & pl.col("session").is_in(days))).then(name).alias(name)

    spoilt = view.bars.with_columns(without(column, wrong), without("volume", allowed))
    outcome = check_schema(spoilt, CURATED_BARS, dataset="", expected=view.expected)
    return judged_sessions(wrong, outcome.findings, bars, "schema")


def _other_type(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """A column that is gone, or of another type, which concerns all sessions."""
    view = view_of(bars, kind)
    column = str(chance.choice(["open", "close", "volume"]))
    gone = chance.random() < 0.5
    spoilt = view.bars.drop(column) if gone else view.bars.cast({column: pl.String})
    outcome = check_schema(spoilt, CURATED_BARS, dataset="", expected=view.expected)
    wrong = view.expected["session"].to_list()
    return judged_sessions(wrong, outcome.findings, bars, "schema")


def _drifting(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Judged:
    """Answers whose fields are gone, new or of another kind; and such as only hold less."""
    cells = bars.head(3).select(t=pl.col("ts").cast(pl.String), o="open", c="close", v="volume")
    sound: dict[str, Any] = {"bars": cells.to_dicts(), "name": "AAA"}
    before = shape_of(_content(sound))
    wrong, told = set[int](), set[int]()
    for number in range(_ANSWERS):
        spoil, is_wrong = _SPOILT[int(chance.integers(len(_SPOILT)))]
        answer = json.loads(_content(sound))
        spoil(answer)
        after = shape_of(_content(answer))
        if before is None or after is None:
            raise AssertionError(answer)
        changes = pl.DataFrame(
            [
                ("AAA", bars["session"][0], c.path, c.change, c.read, c.told, "f")
                for c in differences(before, after, _FIELDS)
            ],
            schema=CHANGES,
            orient="row",
        )
        wrong |= {number} if is_wrong else set()
        found = check_shape_drift(changes, dataset="").findings
        told |= set() if found.is_empty() else {number}
    return Judged(frozenset(wrong), frozenset(told), _ANSWERS)


def _content(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode()


def _each(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    def spoil(answer: dict[str, Any]) -> None:
        for bar in answer["bars"]:
            change(bar)

    return spoil


_SPOILT: list[tuple[Callable[[dict[str, Any]], object], bool]] = [
    (_each(lambda bar: bar.pop("c")), True),
    (_each(lambda bar: bar.update(close=bar.pop("c"))), True),
    (_each(lambda bar: bar.update(c=str(bar["c"]))), True),
    (_each(lambda bar: bar.update(vwap=1.5)), True),
    (lambda answer: answer.update(name={"long": "AAA"}), True),
    (lambda answer: answer.update(bars={"AAA": answer["bars"]}), True),
    (lambda _answer: None, False),
    (lambda answer: answer.update(bars=[]), False),
    (lambda answer: answer["bars"].pop(), False),
    (lambda answer: answer["bars"][0].update(c=None), False),
    (lambda answer: answer.update(events=[{"split": 2}]), False),
    (_each(lambda bar: bar.update(o=7)), False),
]
"""Ways in which an answer is another one, and whether that is a change of its shape."""


def _row_counts(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Sessions with fewer rows than somebody expects, or with hardly enough."""
    wrong, allowed = chosen(bars, kind, chance)
    lost = {day: (1 - _EXPECTED) * chance.uniform(1.1, 4) for day in wrong}
    lost |= {day: (1 - _EXPECTED) * chance.uniform(0, 0.9) for day in allowed}
    view = view_of(thinned(bars, lost, chance), kind)
    least = int(_EXPECTED * min(view.expected["expected"].to_list()))
    entry = Expectation(
        name="whole sessions", datasets=(view.dataset,), at_least=least, coverage=_EXPECTED
    )
    outcome = check_expectations(view, measure_coverage(view), Expectations([entry]))
    return judged_sessions(wrong, outcome.findings, bars, "row_count", "below_expectation")


def _stalled(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """A feed that brings nothing more while its session runs, or has not for a little while."""
    wrong, allowed = chosen(bars, kind, chance)
    warn = limits_of(kind)["stale_warn"][0]
    told = set[date]()
    for day in (*wrong, *allowed):
        lag = warn * float(chance.uniform(1.1, 4) if day in wrong else chance.uniform(0, 0.9))
        own = bars.filter(pl.col("session") == day)
        last = own["ts"][int(chance.integers(own.height // 4, own.height // 2))]
        until = last + kind.timeframe.duration
        view = view_of(own.filter(pl.col("ts") <= last), kind)
        running = replace(
            view, expected=view.expected.filter(pl.col("session") == day), now=until + lag
        )
        found = check_staleness(running, limits_of(kind)).findings
        told |= set(found["session"].to_list())
    planted = frozenset(day.toordinal() for day in wrong)
    return Judged(planted, frozenset(day.toordinal() for day in told), bars.height)


def _falling(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Sessions on which the mean score of a dataset falls, further than is allowed or hardly."""
    wrong, allowed = chosen(bars, kind, chance)
    limit = float(limits_of(kind)["score_shift"][0])
    falls = {day: limit * chance.uniform(1.3, 6) for day in wrong}
    falls |= {day: limit * chance.uniform(0, 0.7) for day in allowed if day not in falls}
    fall = pl.col("session").replace_strict(falls, default=0.0, return_dtype=pl.Float64)
    sessions = bars.select("session").unique().sort("session")
    symbols = pl.DataFrame({"symbol": [f"S{n}" for n in range(_SYMBOLS)]})
    noise = pl.Series(chance.uniform(0, 0.02, sessions.height * _SYMBOLS))
    scores = sessions.join(symbols, how="cross").with_columns(
        score=(1 - fall - noise).clip(0, 1), dataset=pl.lit("curated/bars_1d")
    )
    empty = [pl.lit(None, SCORES.dtypes[n]).alias(n) for n in SCORES.names if n not in scores]
    days = sessions["session"]
    outcome = evaluate_scores(
        SCORES.conform(scores.with_columns(empty).with_columns(_FILLED)),
        scores.select("dataset", "symbol", "session", bars_digest=pl.lit("")),
        sessions=(days[0], days[-1]),
        rule_version="r",
        score_shift=limit,
    )["drift"]
    return judged_sessions(wrong, outcome.findings, bars, "score_shift")


_FILLED = [
    pl.lit(0, pl.Int64).alias(n)
    for n in ("expected", "observed", "gaps", "duplicates", "ohlc_violations", "outliers")
] + [
    pl.lit(0, pl.Int64).alias("flat_run"),
    pl.lit(1.0).alias("coverage"),
    pl.lit(0.0).alias("null_rate"),
    pl.lit("GREEN").alias("status"),
    pl.lit("").alias("reasons"),
    pl.lit("").alias("bars_digest"),
    pl.lit("r").alias("rule_version"),
]


def _days(kind: Kind) -> bool:
    return kind.daily and is_sampled(kind)


def _minutes(kind: Kind) -> bool:
    return not kind.daily and is_sampled(kind)


TRIALS = (
    Trial("schema", "empty cells", _empty_cells, is_sampled),
    Trial("schema", "column gone, or of another type", _other_type, is_sampled),
    Trial("schema drift", "answers with other fields", _drifting, _days),
    Trial("row count", "fewer rows than expected", _row_counts, _minutes),
    Trial("feed anomaly", "stalls while the session runs", _stalled, _minutes),
    Trial("score shift", "mean score of a session falls", _falling, _days),
)
