"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from market_data.timeframes import Timeframe

SymbolArguments = Annotated[
    list[str], typer.Argument(metavar="SYMBOL...", help="Platform symbols, for instance AAPL.")
]
TimeframeOption = Annotated[Timeframe, typer.Option(help="Length of a bar.")]
StartOption = Annotated[str, typer.Option(metavar="DATE", help="First session, 2024-01-02.")]
EndOption = Annotated[str, typer.Option(metavar="DATE", help="Last session, included.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
FormOption = Annotated[
    Literal["json", "markdown"], typer.Option("--format", help="Form of the report.")
]
OutOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file as well.")]


def split(values: Sequence[str] | str | None) -> list[str]:
    """Symbols from 'AAPL,MSFT', 'AAPL MSFT' or several of those, each once."""
    if values is None:
        return []
    parts = [values] if isinstance(values, str) else values
    return list(dict.fromkeys(s for part in parts for s in part.replace(",", " ").split()))
