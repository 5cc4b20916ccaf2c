"""Columns of every frame that crosses a room: names, types, meaning.

What belongs here: a `FrameSchema` per kind of frame, one module per theme, and the helpers that
make a frame fit one (frame.py).
What does not: rules about values (market_data/validation.py), where a frame is stored
(market_data/datasets.py).

All times are UTC with microseconds; `ts` is the start of a bar; `session` is the date of the
trading session that the bar belongs to, in the sense of its instrument's calendar.
"""

from market_data.schemas.bars import CURATED_BARS, FETCHED_BARS, PRICES, RAW_BARS
from market_data.schemas.frame import UTC, Column, FrameSchema
from market_data.schemas.ledger import LEDGER
from market_data.schemas.quality import EXPECTED, FINDINGS, KEPT_FLAGS, SCORES
from market_data.schemas.reference import CORPORATE_ACTIONS, INSTRUMENTS, TRADING_SESSIONS
from market_data.schemas.refused import QUARANTINE, REFUSED_ROWS, REJECTED_ROWS

__all__ = [
    "CORPORATE_ACTIONS",
    "CURATED_BARS",
    "EXPECTED",
    "FETCHED_BARS",
    "FINDINGS",
    "INSTRUMENTS",
    "KEPT_FLAGS",
    "LEDGER",
    "PRICES",
    "QUARANTINE",
    "RAW_BARS",
    "REFUSED_ROWS",
    "REJECTED_ROWS",
    "SCORES",
    "TRADING_SESSIONS",
    "UTC",
    "Column",
    "FrameSchema",
]
