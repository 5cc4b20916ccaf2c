"""Access to Yahoo through yfinance: one polite request at a time, every trouble typed.

What belongs here: the session that yfinance sends with, pacing, retries.
What does not: what an answer means (answers.py).

Importing this module loads yfinance and with it pandas; import it where it is used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import yfinance.cache
from curl_cffi import requests
from curl_cffi.requests import exceptions
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError

from adapters.vendors.retrying import Questions
from adapters.vendors.yahoo.answers import Chart, read_answer
from adapters.vendors.yahoo.profile import YAHOO_URL
from market_data.errors import (
    LeftAloneError,
    MalformedAnswerError,
    RateLimitedError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports import Claim, OpenGate, Payload, RequestGate

_CHART = "/v8/finance/chart/"
_COOKIE_HOST = "fc.yahoo.com"
_LEFT_TO_YFINANCE = (401, 403)
"""Statuses after which yfinance renews its cookie and asks once more."""

# yfinance keeps one session, cookie and crumb for the whole process.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class ChartAnswer:
    """An answer of the chart service.

    Attributes:
        chart: its content; None where Yahoo says that the range holds no data.
        payload: the bytes as they came.
    """

    chart: Chart | None
    payload: Payload


class _Session(requests.Session):  # type: ignore[misc]
    """What yfinance sends with: paced, sent to the base URL, with errors that it cannot swallow.

    For one question yfinance may send several requests: for its cookie, its crumb, and again after
    a refusal. Whoever asks has leave for one; `more` is called before each other. The page of the
    cookie, which yfinance would ask for before every chart, is asked for once until a refusal: the
    session holds the cookie.
    """

    def __init__(
        self,
        base_url: str,
        timeout: float,
        min_interval: float,
        sleep: Callable[[float], None],
        more: Callable[[], None],
    ) -> None:
        super().__init__(impersonate="chrome")
        self._base = urlsplit(base_url) if base_url != YAHOO_URL else None
        self._timeout = timeout
        self._min_interval = min_interval
        self._sleep = sleep
        self._next = 0.0
        self._more = more
        self._has_leave = False
        self._cookie_page: Any = None

    def begin(self) -> None:
        """A question begins, which has leave for one request."""
        self._has_leave = True

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Send one request; a chart's trouble is raised here as a typed error."""
        is_chart = urlsplit(url).path.startswith(_CHART)
        is_cookie_page = urlsplit(url).netloc == _COOKIE_HOST
        if is_cookie_page and self._cookie_page is not None:
            return self._cookie_page
        if not self._has_leave:
            self._more()
        self._has_leave = False
        self._pace()
        kwargs["timeout"] = self._timeout
        try:
            response = super().request(method, self._directed(url), *args, **kwargs)
        except exceptions.RequestException as trouble:
            if is_chart:
                raise _typed(trouble) from trouble
            raise
        except ValueError as trouble:
            # An address to go on to that is none, bytes of a header that are no text.
            raise MalformedAnswerError(f"Yahoo's answer cannot be read: {trouble}") from trouble
        if is_cookie_page:
            self._cookie_page = response
        if is_chart and response.status_code in _LEFT_TO_YFINANCE:
            self._cookie_page = None
        elif is_chart:
            read_answer(response.status_code, response.content, response.headers.get("Retry-After"))
        return response

    def _pace(self) -> None:
        pause = self._next - time.monotonic()
        if pause > 0:
            self._sleep(pause)
        self._next = time.monotonic() + self._min_interval

    def _directed(self, url: str) -> str:
        if self._base is None:
            return url
        asked = urlsplit(url)
        path = self._base.path.rstrip("/") + asked.path
        return urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))


def _typed(trouble: exceptions.RequestException) -> VendorError:
    if isinstance(trouble, exceptions.Timeout):
        return VendorUnavailableError(f"Yahoo did not answer in time: {trouble}")
    if isinstance(trouble, exceptions.ConnectionError | exceptions.ProxyError):
        return UnreachableError(f"Yahoo cannot be reached: {trouble}")
    return MalformedAnswerError(f"Yahoo's answer broke off: {trouble}")


class YahooClient:
    """Asks the chart service."""

    def __init__(
        self,
        *,
        base_url: str = YAHOO_URL,
        attempts: int = 3,
        timeout: float = 15.0,
        min_interval: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
    ) -> None:
        """Prepare the session; nothing is sent yet.

        Args:
            base_url: where every request goes.
            attempts: how often one question is put before its trouble is raised.
            timeout: seconds until a request is given up.
            min_interval: seconds between two requests.
            sleep: waits that many seconds.
            gate: grants each request; None for no limits.
            claims: what a request takes of Yahoo's allowances, those for a cookie included.
        """
        self._base_url = base_url
        self._gate = gate or OpenGate()
        self._claims = tuple(claims)
        self._session = _Session(base_url, timeout, min_interval, sleep, self._enter_again)
        self._timeout = timeout
        self._questions = Questions(self._gate, attempts, sleep)
        # Its errors come back typed; its own reports of them would be said twice.
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)
        # Without this it keeps cookies in a database in the user's cache folder.
        yfinance.cache._CookieCacheManager._Cookie_cache = (  # noqa: SLF001
            yfinance.cache._CookieCacheDummy()  # noqa: SLF001
        )

    def chart(self, symbol: str, interval: str, start: int, end: int) -> ChartAnswer:
        """Bars and events of one symbol.

        Args:
            symbol: Yahoo's name of the instrument.
            interval: Yahoo's name of the bar length.
            start: seconds since 1970, UTC.
            end: seconds since 1970, UTC, excluded.

        Raises:
            VendorError: a typed subclass, after the last attempt.
        """
        params = {
            "period1": start,
            "period2": end,
            "interval": interval,
            "includePrePost": "false",
            "events": "div,splits",
        }
        path = _CHART + quote(symbol, safe="=^")
        return self._questions.put(self._claims, lambda: self._ask(path, params))

    def _enter_again(self) -> None:
        """Count one more request of a question; only a spent budget ends it.

        While the breaker lets a single question try, that question's cookie is no other's turn.
        """
        with suppress(LeftAloneError):
            self._gate.enter(self._claims)

    def _ask(self, path: str, params: Mapping[str, Any]) -> ChartAnswer:
        with _ONE_AT_A_TIME:
            self._session.begin()
            try:
                response = YfData(session=self._session).get(
                    YAHOO_URL + path, params=dict(params), timeout=self._timeout
                )
            except YFRateLimitError as trouble:
                raise RateLimitedError(f"Yahoo: {trouble}") from trouble
            except (YFException, exceptions.RequestException) as trouble:
                raise VendorUnavailableError(f"Yahoo gives no access: {trouble}") from trouble
            except ValueError as trouble:
                raise MalformedAnswerError(f"Yahoo's answer cannot be read: {trouble}") from trouble
        content: bytes = response.content
        return ChartAnswer(
            read_answer(response.status_code, content),
            Payload(content, f"{self._base_url}{path}?{urlencode(params)}", "application/json"),
        )
