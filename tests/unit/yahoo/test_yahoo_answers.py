"""Which trouble an answer of Yahoo means, where the recorded errors cannot tell two signs apart."""

from __future__ import annotations

import pytest

from adapters.vendors.yahoo.answers import read_answer
from market_data.errors import MalformedAnswerError, OutOfRangeError, RateLimitedError


def test_too_many_requests_by_status_or_by_words() -> None:
    with pytest.raises(RateLimitedError) as by_status:
        read_answer(429, b"", "12")
    assert by_status.value.retry_after == 12.0
    with pytest.raises(RateLimitedError):
        read_answer(200, b"Edge: Too Many Requests")


def test_a_date_to_retry_after_is_left_to_the_usual_pause() -> None:
    with pytest.raises(RateLimitedError) as throttled:
        read_answer(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT")
    assert throttled.value.retry_after is None


def test_out_of_range_by_status_or_by_words() -> None:
    error = b'{"chart": {"result": null, "error": {"code": "x", "description": "%s"}}}'
    with pytest.raises(OutOfRangeError):
        read_answer(422, error % b"something new")
    with pytest.raises(OutOfRangeError):
        read_answer(400, error % b"The requested range must be within the last 60 days.")


def test_an_error_that_nobody_knows_is_malformed() -> None:
    with pytest.raises(MalformedAnswerError, match="never seen"):
        read_answer(400, b'{"chart": {"result": null, "error": "never seen"}}')


@pytest.mark.parametrize(
    "repeated",
    [b'"timestamp": [1], "timestamp": [2]', b'"meta": {"symbol": "A", "symbol": "B"}'],
)
def test_a_key_twice_is_malformed(repeated: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match="no chart"):
        read_answer(200, b'{"chart": {"result": [{%s}], "error": null}}' % repeated)
