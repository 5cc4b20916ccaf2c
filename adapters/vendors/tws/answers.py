"""From the fields of IB's messages to frames and contracts.

What belongs here: what the fields of a message of bars and of a contract mean.
What does not: receiving messages (listening.py), the vendor's promises (vendor.py).

A bar is stamped with its start: with seconds since 1970, as was asked for, or with its date where
it is a daily one. -1 stands for a volume, mean or count that IB has not, and the largest number
that a Double holds for any value that is not set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from adapters.vendors.tws.contracts import Found
from market_data.errors import MalformedAnswerError
from market_data.ports import FetchRequest, SymbolRequest
from market_data.schemas import FETCHED_BARS, PRICES, REJECTED_ROWS, UTC
from market_data.timeframes import Timeframe

Fields = Sequence[str]
"""A message as IB sends it, split at its zeros."""

HEAD = 5
"""Fields of a message of bars before its bars: kind, request, start, end, number of bars."""
_BAR = ("at", *PRICES, "volume", "vwap", "trades")
_PARTS = ("volume", "vwap", "trades")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COUNT = r"^-?[0-9]{1,18}$"
_UNSET = 1.7e308
_EPOCH = r"^[0-9]{9,10}$"
_DATE = r"^[0-9]{8}$"
_MOST_CONTRACTS = 1_000


def read_bars(
    fields: Fields, wanted: SymbolRequest, request: FetchRequest, start: datetime, end: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars whose ts lies in [start, end), and rows that are no bars.

    Daily bars carry their session's date at 00:00 UTC, intraday bars their start. A row is
    rejected as `null_bar` or `null_price` where prices are missing, as `unreadable` where its time
    or one of its numbers is none, as `future` where it lies after the time of asking.

    Args:
        fields: the message.
        wanted: whose bars.
        request: the question, for its timeframe and its time.
        start: first ts, UTC.
        end: of the range, UTC, excluded.

    Returns:
        Rows of FETCHED_BARS and of REJECTED_ROWS, both by time.

    Raises:
        MalformedAnswerError: the message does not hold as many bars as it says.
    """
    texts = _texts(fields)
    times = _time(request.timeframe)
    numbers = {name: _number(name) for name in _BAR[1:]}
    rows = texts.select(
        ts=times,
        **numbers,
        reasons=_reasons(times, numbers),
        row=pl.struct(_BAR).struct.json_encode(),
    ).sort("ts", maintain_order=True, nulls_last=True)
    ts = pl.col("ts")
    # A session that runs may have a date that begins only hours from now.
    latest = request.now if request.timeframe.is_intraday else request.now + timedelta(days=1)
    reasons = (
        pl.when(pl.col("reasons") != "")
        .then("reasons")
        .when(ts > latest)
        .then(pl.lit("future"))
        .otherwise(pl.lit(""))
    )
    # A wrong time may have taken a row out of the range.
    kept = ts.is_null() | ((ts >= start) & (ts < end)) | (ts > latest)
    rows = rows.with_columns(reasons=reasons, symbol=pl.lit(wanted.symbol)).filter(kept)
    bars = rows.filter(pl.col("reasons") == "").with_columns(
        vendor_symbol=pl.lit(wanted.vendor_symbol)
    )
    rejected = rows.filter(pl.col("reasons") != "")
    return FETCHED_BARS.conform(bars), REJECTED_ROWS.conform(rejected)


def read_contracts(messages: Sequence[Fields], server_version: int) -> list[Found]:
    """The contracts that IB describes in some messages.

    Args:
        messages: one per contract.
        server_version: which decides the order of their fields.

    Raises:
        MalformedAnswerError: a message has not the fields that it should have.
    """
    # It knows the fields of every version; what cannot be read it raises.
    from ib_async.decoder import Decoder

    if len(messages) > _MOST_CONTRACTS:
        raise MalformedAnswerError(f"Interactive Brokers named {len(messages)} contracts at once")
    heard = _Heard()
    decoder = Decoder(heard, server_version)
    for fields in messages:
        try:
            decoder.contractDetails(list(fields))
        except (ValueError, TypeError, IndexError, OverflowError) as trouble:
            raise MalformedAnswerError(
                f"Interactive Brokers described a contract in {len(fields)} fields that cannot be "
                f"read: {trouble}"
            ) from trouble
    return heard.found


class _Heard:
    """What the decoder of ib_async calls."""

    def __init__(self) -> None:
        self.found: list[Found] = []

    def contractDetails(self, _request: int, details: object) -> None:  # noqa: N802
        contract = details.contract  # type: ignore[attr-defined]
        self.found.append(
            Found(
                number=contract.conId,
                kind=contract.secType,
                name=contract.localSymbol or contract.symbol,
                exchange=contract.exchange,
                primary=contract.primaryExchange,
                currency=contract.currency,
                magnifier=details.priceMagnifier or 1,  # type: ignore[attr-defined]
            )
        )


def check_whole(fields: Fields) -> None:
    """Refuse a message that does not hold as many bars as it says.

    Raises:
        MalformedAnswerError: it does not.
    """
    told, values = list(fields[HEAD - 1 : HEAD]), len(fields[HEAD:])
    if told != [str(values // len(_BAR))] or values % len(_BAR):
        number = repr(told[0][:20]) if told else "no number"
        raise MalformedAnswerError(
            f"Interactive Brokers told of {number} bars and sent {values} values, "
            f"of which a bar has {len(_BAR)}"
        )


def _texts(fields: Fields) -> pl.DataFrame:
    """The bars of a message as they came: columns of `_BAR`, all text."""
    check_whole(fields)
    values = list(fields[HEAD:])
    return pl.DataFrame(
        {name: values[i :: len(_BAR)] for i, name in enumerate(_BAR)},
        schema=dict.fromkeys(_BAR, pl.String),
    )


def _time(timeframe: Timeframe) -> pl.Expr:
    """The start of a bar; null where its time cannot be read."""
    at = pl.col("at")
    if timeframe.is_intraday:
        seconds = pl.when(at.str.contains(_EPOCH)).then(at).cast(pl.Int64, strict=False)
        return (
            pl.from_epoch(seconds, time_unit="s")
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC")
        )
    dates = pl.when(at.str.contains(_DATE)).then(at).str.to_date("%Y%m%d", strict=False)
    return dates.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC)


def _number(name: str) -> pl.Expr:
    """A field as a number; null where it is none, or stands for none."""
    text = pl.col(name)
    dtype = pl.Int64 if name == "trades" else pl.Float64
    value = pl.when(text.str.contains(_form(name))).then(text).cast(dtype, strict=False)
    unset = (value == -1) if name in _PARTS else pl.lit(value=False)
    if dtype == pl.Float64:
        # What overflows has become infinite.
        unset = unset | (value.abs() >= _UNSET)
    return pl.when(~unset).then(value)


def _form(name: str) -> str:
    return _COUNT if name == "trades" else _NUMBER


def _reasons(times: pl.Expr, numbers: dict[str, pl.Expr]) -> pl.Expr:
    """Why a row cannot become a bar; empty where it can."""
    unreadable = times.is_null() | pl.any_horizontal(
        ~pl.col(name).str.contains(_form(name)) & (pl.col(name) != "") for name in numbers
    )
    missing = pl.sum_horizontal(numbers[name].is_null() for name in PRICES)
    return (
        pl.when(unreadable)
        .then(pl.lit("unreadable"))
        .when(missing == len(PRICES))
        .then(pl.lit("null_bar"))
        .when(missing > 0)
        .then(pl.lit("null_price"))
        .otherwise(pl.lit(""))
    )
