"""A new format for a file that no existing one reads.

What belongs here: the sample, and how guesses about its columns become a `FormatSpec`.
What does not: the guesses themselves (guesses.py), the trial of known formats (sniff.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from adapters.vendors.files.discovery import plain_stem
from adapters.vendors.files.guesses import Table, columns_of, has_offset, table_of, time_of
from adapters.vendors.files.sample import Sample, sample_bars, spacing
from adapters.vendors.files.spec import MILLISECONDS, SIDES, FormatSpec
from market_data.errors import MalformedAnswerError
from market_data.timeframes import Timeframe

_CURRENCIES = {"EUR", "USD", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "XAU", "XAG"}
_CLASSES = {
    "fx": {"asset_class": "fx", "calendar": "fx", "side": "mid"},
    "crypto": {"asset_class": "crypto", "calendar": "24/7"},
    "equity": {"asset_class": "equity", "calendar": "XNYS"},
}
_OPEN, _CLOSE = timedelta(hours=9, minutes=30), timedelta(hours=16)
_NEW_YORK = "America/New_York"


@dataclass
class Draft:
    """A spec in the making: its settings and what there is to say about them."""

    values: dict[str, Any]
    notes: list[str]

    def spec(self) -> FormatSpec:
        """The settings so far, validated."""
        return FormatSpec.model_validate(self.values)


def propose(sample: Sample) -> tuple[FormatSpec, list[str], pl.DataFrame, float]:
    """Build a spec from the first lines of a file.

    Args:
        sample: the lines.

    Returns:
        The spec, notes on what was guessed, the sample's bars, and the share of lines read.

    Raises:
        MalformedAnswerError: it has no columns that can be bars.
    """
    path = sample.path
    table = table_of(sample.lines)
    roles, guessed = columns_of(table)
    draft = Draft(_frame_of(sample, table, roles), guessed)
    _add_time(draft, path, table, roles)
    _add_class(draft, path, roles)
    bars, _ = sample_bars(sample, draft.spec())
    if bars.is_empty():
        raise MalformedAnswerError(
            f"{path}: no line reads as a bar, like {sample.lines[-1][:120]!r}"
        )
    _add_spacing(draft, bars)
    _add_clock(draft, bars)
    _add_values(draft, bars)
    spec = draft.spec()
    bars, rejected = sample_bars(sample, spec)
    return spec, draft.notes, bars, len(bars) / (len(bars) + rejected)


def _frame_of(sample: Sample, table: Table, roles: dict[str, int]) -> dict[str, Any]:
    path = sample.path
    name = re.sub(r"[^a-z0-9]+", "_", plain_stem(path).lower()).strip("_")
    columns: Any
    if table.header:
        columns = {role: table.header[i] for role, i in roles.items()}
    else:
        at = {i: role for role, i in roles.items()}
        columns = [at.get(i, "-") for i in range(table.cells.width)]
    return {
        "name": f"file_{name}"[:32],
        "description": f"Proposed from {path.name}",
        "vendor": "file",
        "timeframe": "1m",
        "encoding": sample.encoding,
        "delimiter": table.delimiter,
        "header": table.header is not None,
        "columns": columns,
        "symbol_from": "column" if "symbol" in roles else "argument",
    }


def _add_time(draft: Draft, path: Path, table: Table, roles: dict[str, int]) -> None:
    text = table.cells.to_series(roles["time"])
    if "date" in roles:
        day = table.cells.to_series(roles["date"])
        text = pl.select(pl.concat_str(day, text, separator=" ")).to_series()
    pattern, notes = time_of(text)
    draft.notes += notes
    times: dict[str, Any] = {"formats": [pattern], "zone": "UTC"}
    if pattern == MILLISECONDS:
        if not re.search(r"\d{8}", path.name):
            raise MalformedAnswerError(
                f"{path}: times count from midnight, but the name tells no day"
            )
        times["date_from"] = "filename"
        draft.notes.append("the day is taken from the file's name")
    draft.values["time"] = times


def _add_class(draft: Draft, path: Path, roles: dict[str, int]) -> None:
    letters = re.sub(r"[^A-Z]", "", plain_stem(path).upper())
    kind = "equity"
    if letters[:3] in _CURRENCIES and letters[3:6] in _CURRENCIES:
        kind = "fx"
    elif re.search(r"(BTC|ETH|USDT)", letters):
        kind = "crypto"
    draft.values |= _CLASSES[kind]
    if set(SIDES) <= set(roles):
        draft.values["side"] = "mid"
    elif kind == "fx":
        draft.notes.append("prices are taken as mid: say side: bid or ask if they are")
    draft.notes.append(f"asset class {kind}, calendar {_CLASSES[kind]['calendar']}: by the name")


def _add_spacing(draft: Draft, bars: pl.DataFrame) -> None:
    step = spacing(bars)
    fitting = next((t for t in Timeframe if t.duration == step), None)
    if fitting is not None:
        draft.values["timeframe"] = fitting.value
        return
    draft.values["timeframe"] = Timeframe.D1.value if step is None or step.days else "1m"
    draft.notes.append(
        f"bars are {step} apart, which is no timeframe of the platform"
        if step is not None
        else "a single bar tells no timeframe; daily is assumed"
    )


def _add_clock(draft: Draft, bars: pl.DataFrame) -> None:
    """Zone and label, by the hours at which the first and the last bar of a day start."""
    newest_first = not bars["ts"].is_sorted() and bars["ts"].is_sorted(descending=True)
    if newest_first:
        draft.notes.append("rows run from the newest to the oldest; that is fine")
    timeframe = Timeframe(draft.values["timeframe"])
    pattern = str(draft.values["time"]["formats"][0])
    if not timeframe.is_intraday or has_offset(pattern) or pattern.startswith("epoch"):
        return
    clock = bars["ts"].dt.time()
    hours = (_as_delta(clock.min()), _as_delta(clock.max()))
    step = timeframe.duration
    if hours == (_OPEN, _CLOSE - step):
        draft.values["time"]["zone"] = _NEW_YORK
        draft.notes.append("09:30 to 16:00 every day: taken as New York time")
    elif hours == (_OPEN + step, _CLOSE):
        draft.values["time"] |= {"zone": _NEW_YORK, "label": "end"}
        draft.notes.append("first bar a step after 09:30, last at 16:00: New York, END of the bar")
    else:
        draft.notes.append("the file names no zone: UTC is assumed")


def _as_delta(value: Any) -> timedelta:
    return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)


def _add_values(draft: Draft, bars: pl.DataFrame) -> None:
    prices = bars.select(pl.col("open", "high", "low", "close"))
    whole = prices.select((pl.all() == pl.all().round()).all()).row(0)
    if all(whole) and (prices.select((pl.all() % 100 == 0).mean()).mean_horizontal().item()) > 0.5:
        smallest = prices.select(pl.min_horizontal(pl.all().min())).item()
        if smallest >= 10_000:
            draft.values["price_scale"] = 10_000
            draft.notes.append("whole prices, mostly hundreds: taken as 10,000 times the price")
    if bars["volume"].null_count() == 0 and (bars["volume"] == 0).all():
        draft.values["zero_volume_is_null"] = True
        draft.notes.append("every volume is 0: taken as not given")
    if bars["adj_close"].null_count() == 0:
        draft.values["basis"] = {"adjustment": "splits"}
        draft.notes.append("an adjusted close beside the close: prices are taken as split-adjusted")
