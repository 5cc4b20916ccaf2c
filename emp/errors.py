"""Errors of the command line itself."""

from __future__ import annotations

from market_data.errors import MarketDataError


class PeriodError(MarketDataError):
    """The period of a command is missing, said twice, or empty."""


class SourceError(MarketDataError):
    """A command says not, or says twice, where bars come from."""
