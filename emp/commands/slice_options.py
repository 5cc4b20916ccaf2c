"""Options of a market slice, which several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

SymbolsOption = Annotated[
    list[str] | None, typer.Option(metavar="A,B", help="Symbols; all, if not given.")
]
VendorsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="A,B", help="Vendors; all that need no files, if not given."),
]
DailyOption = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Days of daily bars; 60; 0 for none.")
]
IntradayOption = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Days of intraday bars; 2; 0 for none.")
]
IntradayTimeframeOption = Annotated[
    str | None, typer.Option(metavar="TF", help="1m (default), 5m, 15m, 30m, 1h or 4h.")
]
MacroStartOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="First day of the macro window.")
]
MacroEndOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Last day of the macro window.")
]
RefetchOption = Annotated[bool, typer.Option("--refetch", help="Ask again for what was answered.")]
