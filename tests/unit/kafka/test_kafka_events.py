"""The JSON form of an event: there and back again, and free of secrets."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.errors import SchemaError
from market_data.operations.reports import MAKERS
from market_data.ports.event_results import (
    Dimension,
    IngestedSlice,
    IngestHealth,
    IngestMetrics,
    OperationsReport,
    QualityScored,
)
from market_data.ports.events import Event
from market_data.ports.redaction import LONGEST_TEXT, REDACTED, sanitised, sanitised_text
from market_data.timeframes import Timeframe

NOW = datetime(2024, 1, 2, 21, 5, tzinfo=UTC)
SPAN = (date(2024, 1, 2), date(2024, 1, 3))

words = st.text(max_size=20)
names = st.lists(words, min_size=1, max_size=4).map(tuple)
days = st.tuples(st.dates(), st.dates())
timeframes = st.sampled_from(list(Timeframe))
numbers = st.integers(min_value=0, max_value=2**40)
figures = st.dictionaries(
    words, st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
results = st.one_of(
    st.builds(
        IngestedSlice,
        vendor=words,
        dataset=words,
        timeframe=timeframes,
        symbols=names,
        sessions=days,
        rows=st.dictionaries(words, numbers),
        outcomes=st.dictionaries(words, words),
        new_rows=numbers,
        revised_rows=numbers,
        rejected_rows=numbers,
        fetch_id=words,
        run_id=words,
        error=words,
    ),
    st.builds(
        IngestHealth,
        vendor=words,
        timeframe=timeframes,
        symbols=names,
        sessions=days,
        run_id=words,
        status=st.sampled_from(["ok", "warn", "fail"]),
        reasons=names,
        missing=names,
    ),
    st.builds(
        IngestMetrics,
        vendor=words,
        timeframe=timeframes,
        symbols=names,
        sessions=days,
        run_id=words,
        figures=figures,
    ),
    st.builds(
        QualityScored,
        dataset=words,
        symbols=names,
        sessions=days,
        statuses=st.dictionaries(words, numbers),
        figures=figures,
        red=names,
        rule_version=words,
    ),
    st.builds(
        OperationsReport,
        report=st.sampled_from(list(MAKERS)),
        status=st.sampled_from(["ok", "warn", "fail"]),
        body=st.dictionaries(words, st.none() | figures | st.lists(words, max_size=3)),
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]))
metadata = st.dictionaries(
    words.filter(lambda n: n not in ("event_id", "dimension", "version")), json_values, max_size=4
)


@given(results, moments.filter(lambda m: 1000 < m.year < 9000), metadata)
def test_an_event_comes_back_equal(result, moment, extra):
    event = Event(result, moment, extra)
    text = event.to_json()
    assert text.isascii()
    back = Event.from_json(text)
    key = result.report if isinstance(result, OperationsReport) else result.symbols[0]
    assert (back.result, back.event_id, back.key) == (result, event.event_id, key)
    assert back.emitted_at == moment
    assert back.to_json() == text


def slice_event(**metadata: object) -> Event:
    result = IngestedSlice(
        vendor="yahoo",
        dataset="raw/yahoo_bars_1m",
        timeframe=Timeframe.M1,
        symbols=("AAPL", "MSFT"),
        sessions=SPAN,
        rows={"AAPL": 390},
        outcomes={"AAPL": "rows", "MSFT": "nothing"},
        new_rows=390,
        revised_rows=0,
        rejected_rows=0,
        fetch_id="f1",
        run_id="r1",
    )
    return Event(result, NOW, metadata, "f1.1")


def test_the_form_is_the_documented_one():
    assert json.loads(slice_event(payloads=2).to_json()) == {
        "emitted_at": "2024-01-02T21:05:00.000000Z",
        "result": {
            "kind": "ingested_slice",
            "vendor": "yahoo",
            "dataset": "raw/yahoo_bars_1m",
            "timeframe": "1m",
            "symbols": ["AAPL", "MSFT"],
            "sessions": ["2024-01-02", "2024-01-03"],
            "rows": {"AAPL": 390},
            "outcomes": {"AAPL": "rows", "MSFT": "nothing"},
            "new_rows": 390,
            "revised_rows": 0,
            "rejected_rows": 0,
            "fetch_id": "f1",
            "run_id": "r1",
            "error": "",
        },
        "metadata": {
            "event_id": "f1.1",
            "dimension": "intraday_bars",
            "version": 1,
            "payloads": 2,
        },
    }


def test_daily_and_intraday_slices_are_different_dimensions():
    assert slice_event().dimension is Dimension.INTRADAY_BARS


def test_every_report_has_its_dimension_and_its_name_is_the_key():
    told = {}
    for name in MAKERS:
        event = Event(OperationsReport(report=name, status="ok", body={}), NOW)
        assert event.key == name
        told[name] = event.dimension
    assert told == {
        "ingest_metrics": Dimension.METRICS,
        "ingest_health": Dimension.HEALTH,
        "ingest_observability": Dimension.OBSERVABILITY,
        "ingest_trends": Dimension.TRENDS,
        "slo_report": Dimension.SLOS,
        "daily_checklist": Dimension.CHECKLIST,
        "data_retention": Dimension.RETENTION,
    }
    with pytest.raises(ValueError, match="no report 'gossip'"):
        OperationsReport(report="gossip", status="ok", body={})


@pytest.mark.parametrize("name", ["event_id", "dimension", "version"])
def test_metadata_cannot_take_a_name_of_the_form(name):
    with pytest.raises(ValueError, match=name):
        slice_event(**{name: 1})


def test_an_event_without_a_symbol_or_a_zone_is_none():
    health = {"vendor": "v", "timeframe": Timeframe.D1, "sessions": SPAN, "run_id": ""}
    none = IngestHealth(**health, symbols=(), status="ok", reasons=(), missing=())
    with pytest.raises(ValueError, match="at least one symbol"):
        Event(none, NOW)
    with pytest.raises(ValueError, match="no time zone"):
        Event(slice_event().result, NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="not a finite number: rows"):
        IngestMetrics(**health, symbols=("A",), figures={"rows": float("inf")})


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"metadata": 1}', b"\xff\xfe", '{"metadata": {"version": 2}}'],
)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(SchemaError, match="event"):
        Event.from_json(text)


def test_an_event_with_a_field_too_few_is_refused():
    content = json.loads(slice_event().to_json())
    del content["result"]["symbols"]
    with pytest.raises(SchemaError, match="not of the promised form"):
        Event.from_json(json.dumps(content))


@pytest.mark.parametrize(
    "text",
    [
        "GET https://user:s3cret@host/path failed",
        "GET https://user:p@s3cret@host/path failed",
        "postgresql://user:a/s3cret@host/db failed",
        "https://host/q?symbol=A&apikey=s3cret&x=1",
        "https://host/q?api_key=s3cret",
        "Authorization: Bearer s3cretToken.abc",
        'password="s3cret" refused',
        "connect failed: password=s3cret host=db",
        "{'token': 's3cret'}",
        "AWS_SECRET_ACCESS_KEY=s3cret",
    ],
)
def test_secrets_are_taken_out_of_texts(text):
    assert "s3cret" not in sanitised_text(text)
    assert REDACTED in sanitised_text(text)


@pytest.mark.parametrize("text", ["AAPL: no rows on 2024-01-02", "https://host/a?symbol=A@B", ""])
def test_texts_without_secrets_stay(text):
    assert sanitised_text(text) == text


def test_secrets_are_taken_out_of_mappings_at_any_depth():
    given = {
        "sasl_password": "s3cret",
        "api-key": {"a": "s3cret"},
        "nested": [{"clientSecret": "s3cret"}, ("https://u:s3cret@h", 1.5, float("nan"))],
        "when": NOW,
        "compass": "north",
    }
    found = sanitised(given)
    assert "s3cret" not in json.dumps(found)
    assert found["nested"][1] == ["https://***@h", 1.5, None]
    assert (found["when"], found["compass"]) == (str(NOW), "north")


def test_a_long_text_is_cut():
    assert len(sanitised_text("x" * 10_000)) == LONGEST_TEXT


def test_metadata_of_an_event_is_clean_from_the_start():
    event = slice_event(url="https://u:s3cret@h/", token="s3cret")
    assert "s3cret" not in f"{event!r}{event.to_json()}"
