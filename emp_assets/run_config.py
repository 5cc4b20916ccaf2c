"""What a run may be told: which symbols, and how to fetch."""

from __future__ import annotations

from datetime import date

import dagster as dg
from pydantic import Field

from market_data.errors import ConfigurationError


class SymbolsConfig(dg.Config):
    """Choice of symbols; without one a run takes all that are configured."""

    symbols: list[str] = Field(
        default_factory=list, description="Symbols of this run; empty means all configured ones."
    )

    def choose(self, configured: tuple[str, ...]) -> tuple[str, ...]:
        """The symbols of the run, in the order of the configuration.

        Raises:
            ConfigurationError: a symbol is not configured for this dataset.
        """
        unknown = sorted(set(self.symbols) - set(configured))
        if unknown:
            raise ConfigurationError(
                f"not configured here: {', '.join(unknown)}; there are: {', '.join(configured)}"
            )
        return tuple(s for s in configured if not self.symbols or s in self.symbols)


class RawBarsConfig(SymbolsConfig):
    """How raw bars are fetched."""

    refetch: bool = Field(
        default=False, description="Ask again for sessions that the ledger has an answer to."
    )
    path: str | None = Field(
        default=None, description="File or folder to read, for a vendor that reads files."
    )
    spec: str | None = Field(default=None, description="Format of those files, see config/formats.")
    prices_as_of: str | None = Field(
        default=None,
        description="Day (YYYY-MM-DD) on which split-adjusted files were exported, where neither "
        "their format nor their names say it.",
    )

    def exported_on(self) -> date | None:
        """`prices_as_of` as a date.

        Raises:
            ConfigurationError: it is none.
        """
        try:
            return date.fromisoformat(self.prices_as_of) if self.prices_as_of else None
        except ValueError as error:
            raise ConfigurationError(
                f"prices_as_of is {self.prices_as_of!r}; it takes a day, like 2018-01-20"
            ) from error
