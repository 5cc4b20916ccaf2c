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


class EngineConfig(SymbolsConfig):
    """Where bars are curated, and features computed."""

    engine: str = Field(
        default="local",
        description="local: in this process; spark: in the executors of SPARK_MASTER. Both make "
        "the same rows.",
    )


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
    spans: dict[str, list[str]] = Field(
        default_factory=dict,
        description="First and last session (YYYY-MM-DD) of symbols that are asked for less than "
        "the range of the run, for instance since their files hold no more.",
    )

    def sessions_of(self) -> dict[str, tuple[date, date]]:
        """`spans` as dates.

        Raises:
            ConfigurationError: one is not two days.
        """
        try:
            return {
                symbol: (date.fromisoformat(first), date.fromisoformat(last))
                for symbol, (first, last) in self.spans.items()
            }
        except ValueError as error:
            raise ConfigurationError(
                "spans takes two days per symbol, like {'AAPL': ['2024-01-02', '2024-03-28']}"
            ) from error

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


class ExportConfig(dg.Config):
    """How an export is written."""

    anew: bool = Field(
        default=False,
        description="Nothing that was exported before counts: what the run does not write is gone.",
    )
