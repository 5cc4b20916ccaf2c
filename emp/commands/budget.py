"""`emp budget`: what vendors let us ask, what is used of it, and whose breaker is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line, table, table_with_notes

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from adapters.requests.report import AccountReport

VendorOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this vendor; default: all of them.")
]

app = typer.Typer(
    help="Requests to vendors: limits, what is used of them, breakers.",
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog="""
Examples:\n
  emp budget\n
  emp budget --vendor alpha_vantage --json\n
  emp budget reset --vendor yahoo --breaker

A window is any stretch of time of its length, wherever it begins. All processes share the counts,
and all vendors of one reader share an account.
""",
)

RESET_EXAMPLES = """
Example:\n
  emp budget reset --vendor yahoo --breaker
"""


@app.callback()
def budget(
    context: typer.Context, vendor: VendorOption = None, as_json: JsonOption = False
) -> None:
    """Show per vendor and window what is allowed, used and left, and the breaker."""
    if context.invoked_subcommand is not None:
        return
    from emp.budgets import reports

    found = reports(settings_of(context), vendor)
    if as_json:
        print_json([_told(report) for report in found])
        return
    print_line(table(_windows(found)))
    print_line()
    print_line(table_with_notes(_breakers(found), "last"))


@app.command("reset", epilog=RESET_EXAMPLES)
def reset(
    context: typer.Context,
    vendor: Annotated[str, typer.Option(metavar="NAME", help="Whose.")],
    breaker: Annotated[
        bool, typer.Option("--breaker", help="Close its breaker: ask it again at once.")
    ] = False,
) -> None:
    """Close a vendor's breaker, and forget a pause that it asked for."""
    from emp.budgets import close_breaker
    from market_data.errors import ConfigurationError

    if not breaker:
        raise ConfigurationError(
            "say --breaker: nothing else can be reset, since requests that were sent count until "
            "their window has passed"
        )
    account = close_breaker(settings_of(context), vendor)
    print_line(f"the breaker of {account} is closed")


def _windows(reports: list[AccountReport]) -> pl.DataFrame:
    import polars as pl

    from emp.budgets import windows_frame

    of_subject = pl.when(pl.col("subject") != "").then(pl.format(" ({})", "subject"))
    return windows_frame(reports).select(
        "vendor",
        pl.col("window") + of_subject.otherwise(pl.lit("")),
        "limit",
        "used",
        "left",
        _text("next_slot", "now").alias("next slot (UTC)"),
    )


def _breakers(reports: list[AccountReport]) -> pl.DataFrame:
    import polars as pl

    from emp.budgets import breakers_frame

    return breakers_frame(reports).select(
        "vendor",
        pl.col("state").alias("breaker"),
        "failures",
        _text("retry_at", "").alias("tried again (UTC)"),
        _text("held_until", "").alias("asked for peace until"),
        pl.col("trouble").alias("last"),
    )


def _text(column: str, otherwise: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).dt.to_string("%Y-%m-%d %H:%M:%S").fill_null(otherwise)


def _told(report: AccountReport) -> dict[str, Any]:
    return {
        "vendor": report.account,
        "windows": [
            {
                "per": window.allowance.name,
                "subject": window.subject,
                "limit": window.allowance.requests,
                "used": window.used,
                "left": window.left,
                "next_slot": _iso(window.next_slot),
                "setting": window.allowance.setting,
            }
            for window in report.windows
        ],
        "breaker": {
            "state": str(report.state),
            "failures": report.failures,
            "opened": report.opened,
            "tried_again_at": _iso(report.retry_at),
            "held_until": _iso(report.held_until),
            "trouble": report.trouble,
        },
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
