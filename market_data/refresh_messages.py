"""Messages that ask for a refresh: their form, and how many become few backfills.

What belongs here: from bytes to a wish or to the reason why there is none, and from wishes to as
few as say the same. What does not: where messages come from (adapters/kafka/refresh.py), what is
launched for a wish (market_data/pipeline/refreshing.py).

    {"version": 1, "dataset": "bars_1d", "symbols": ["AAPL"],
     "start": "2024-01-02", "end": "2024-01-05", "refetch": false, "id": "whatever helps you"}

`refetch` and `id` may be left out. Curated bars are made anew; what the ledger has an answer to is
not asked for again unless `refetch` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from market_data.backfill.pieces import GAP
from market_data.backfill.plans import CURATED, BackfillRequest, dataset_parts
from market_data.errors import ConfigurationError
from market_data.wording import few, sayable

VERSION = 1
_REQUIRED = ("version", "dataset", "symbols", "start", "end")
_OPTIONAL = ("refetch", "id")
_DAY = timedelta(days=1)
Span = tuple[date, date]


class PoisonError(ValueError):
    """A message that says nothing that can be done.

    Args:
        why: the reason; it may repeat what the message says, whatever that is.
    """

    def __init__(self, why: str) -> None:
        super().__init__(sayable(why))


def parse(body: bytes | None, largest: int) -> BackfillRequest:
    """What a message asks for.

    Args:
        body: of the message.
        largest: so many days of symbols it may name.

    Raises:
        PoisonError: it is no such message.
    """
    wish = read_content(_content(body))
    days = ((wish.last - wish.first).days + 1) * len(wish.symbols)
    if days > largest:
        raise PoisonError(
            f"it names {days:,} days of symbols, more than {largest:,} (messages.largest in "
            "config/automation.yaml); 'emp backfill' is for more"
        )
    return wish


def read_content(content: Mapping[str, Any]) -> BackfillRequest:
    """What the content of a message asks for.

    Raises:
        PoisonError: nothing that can be done.
    """
    if (version := content.get("version", VERSION)) != VERSION:
        said = repr(version) if isinstance(version, str | int | float) else "no number"
        raise PoisonError(f"its version is {said}, this program reads {VERSION}")
    if missing := [name for name in _REQUIRED if name not in content]:
        raise PoisonError(f"it lacks {', '.join(missing)}")
    if unknown := sorted(set(content) - {*_REQUIRED, *_OPTIONAL}):
        raise PoisonError(f"nobody knows {few(unknown, 5)}")
    symbols, refetch = content["symbols"], content.get("refetch", False)
    if not isinstance(symbols, list) or not symbols or not all(map(_is_name, symbols)):
        raise PoisonError("'symbols' is not a list of names with at least one")
    if not isinstance(refetch, bool):
        raise PoisonError("'refetch' is not true or false")
    first, last = _day(content, "start"), _day(content, "end")
    if last < first:
        raise PoisonError(f"it ends ({last}) before it starts ({first})")
    names = tuple(sorted(set(symbols)))
    return wish_of(_dataset(content["dataset"]), names, (first, last), refetch=refetch)


def wish_of(
    dataset: str, symbols: tuple[str, ...], span: Span, *, refetch: bool
) -> BackfillRequest:
    """What a message about some sessions of a dataset asks for.

    Args:
        dataset: curated/bars_<timeframe> or raw/<vendor>_bars_<timeframe>.
        symbols: sorted.
        span: first and last session.
        refetch: ask again for what the ledger has an answer to.
    """
    anew = dataset.startswith(f"{CURATED}/")
    return BackfillRequest(dataset, symbols, *span, refetch=refetch, overwrite_curated=anew)


def written(request: BackfillRequest) -> bytes:
    """A wish as a message."""
    content = {
        "version": VERSION,
        "dataset": request.dataset,
        "symbols": list(request.symbols),
        "start": request.first.isoformat(),
        "end": request.last.isoformat(),
        "refetch": request.refetch,
    }
    return json.dumps(content).encode()


def coalesce(requests: Iterable[BackfillRequest], most: int) -> list[BackfillRequest]:
    """As few wishes as say the same; where they are too many, fewer that say more.

    Sessions of a symbol that follow each other become one range, and symbols with the same range
    one wish. Above the limit, ranges that overlap or lie close to each other become one, of all
    their symbols: what is lacking of it is asked for.

    Args:
        requests: wishes, any of them several times.
        most: the limit.
    """
    exact = _exact(requests)
    return exact if len(exact) <= most else _wider(exact)


def _content(body: bytes | None) -> Mapping[str, Any]:
    if not body:
        raise PoisonError("it is empty")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PoisonError("it is no JSON") from error
    if not isinstance(content, dict):
        raise PoisonError("it is no JSON object")
    return content


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _day(content: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(content[name])
    except (TypeError, ValueError) as error:
        raise PoisonError(f"'{name}' is not a day like 2024-01-02") from error


def _dataset(said: object) -> str:
    text = said if isinstance(said, str) else ""
    dataset = text if "/" in text else f"{CURATED}/{text}"
    try:
        dataset_parts(dataset)
    except ConfigurationError as error:
        raise PoisonError(str(error)) from error
    return dataset


def _exact(requests: Iterable[BackfillRequest]) -> list[BackfillRequest]:
    # Thousands of messages say the same of the same symbols: those are joined first.
    alike: dict[tuple[str, bool, tuple[str, ...]], set[Span]] = {}
    for one in requests:
        alike.setdefault((one.dataset, one.refetch, one.symbols), set()).add((one.first, one.last))
    by_symbol: dict[tuple[str, bool], dict[str, set[Span]]] = {}
    for (dataset, refetch, symbols), spans in alike.items():
        joined = set(_joined(spans, _DAY))
        of = by_symbol.setdefault((dataset, refetch), {})
        for symbol in symbols:
            of.setdefault(symbol, set()).update(joined)
    found: list[BackfillRequest] = []
    for (dataset, refetch), spans_of in sorted(by_symbol.items()):
        by_span: dict[Span, list[str]] = {}
        for symbol, spans in sorted(spans_of.items()):
            for span in _joined(spans, _DAY):
                by_span.setdefault(span, []).append(symbol)
        found += [
            wish_of(dataset, tuple(symbols), span, refetch=refetch)
            for span, symbols in sorted(by_span.items())
        ]
    return found


def _wider(requests: Sequence[BackfillRequest]) -> list[BackfillRequest]:
    kinds: dict[tuple[str, bool], list[BackfillRequest]] = {}
    for one in requests:
        kinds.setdefault((one.dataset, one.refetch), []).append(one)
    found: list[BackfillRequest] = []
    for (dataset, refetch), same in kinds.items():
        for first, last in _joined({(one.first, one.last) for one in same}, GAP):
            symbols = {s for one in same if first <= one.first <= last for s in one.symbols}
            wide = tuple(sorted(symbols))
            found.append(wish_of(dataset, wide, (first, last), refetch=refetch))
    return found


def _joined(spans: Iterable[Span], gap: timedelta) -> list[Span]:
    """Ranges that overlap, or lie no further apart than the gap, as one, oldest first."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
