"""`emp files`: which formats are known, and which one a file has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line, records, table

app = typer.Typer(
    help="Formats of files that 'emp ingest --path' reads.",
    rich_markup_mode=None,
)

SNIFF_EXAMPLES = """
Examples:\n
  emp files sniff bars.csv\n
  emp files sniff bars.csv > config/formats/mybroker.yaml
"""
SPECS_EXAMPLES = """
Example:\n
  emp files specs
"""


@app.command("sniff", epilog=SNIFF_EXAMPLES)
def sniff(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    as_json: JsonOption = False,
) -> None:
    """Propose a format: a shipped one that fits, or a new one to put into config/formats."""
    import sys

    from adapters.vendors.files.sniff import sniff as propose
    from adapters.vendors.files.spec import load_formats

    found = propose(file, load_formats(settings_of(context).config_dir / "formats"))
    if as_json:
        print_json(
            {
                "format": found.spec.name,
                "known": found.known,
                "confidence": round(found.confidence, 3),
                "symbol": found.symbol,
                "notes": list(found.notes),
                "spec": found.spec.model_dump(mode="json", exclude_defaults=True),
                "rows": records(found.rows),
            }
        )
        return
    # What a person reads goes to stderr, so that stdout can become the new spec.
    said = [f"format {found.spec.name}, confidence {found.confidence:.2f}", *found.notes]
    sys.stderr.write("\n".join([*said, table(found.rows), ""]))
    if found.known:
        print_line(f"# emp ingest --path {file} --spec {found.spec.name}")
    else:
        print_line(found.yaml().rstrip())


@app.command("specs", epilog=SPECS_EXAMPLES)
def specs(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the formats that are known."""
    import polars as pl

    from adapters.vendors.files.spec import load_formats

    loaded = load_formats(settings_of(context).config_dir / "formats")
    unique = {spec.name: spec for spec in loaded.values()}
    rows = [
        {
            "spec": name,
            "aliases": ", ".join(spec.aliases),
            "vendor": spec.vendor,
            "timeframe": str(spec.timeframe),
            "description": spec.description,
        }
        for name, spec in sorted(unique.items())
    ]
    if as_json:
        print_json(rows)
    else:
        print_line(table(pl.DataFrame(rows)))
