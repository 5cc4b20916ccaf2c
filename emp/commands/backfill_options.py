"""Arguments and options that several commands of `emp backfill` share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="bars_1d, or raw/yahoo_bars_1d.")
]
TargetArgument = Annotated[
    str, typer.Argument(metavar="DATASET|ID", help="A dataset, or the id of a backfill.")
]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Of a backfill; its beginning suffices.")
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="A,B", help="Symbols; all that are served, if not given."),
]
StartOption = Annotated[str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")]
EndOption = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Last session, included; the newest, if not given."),
]
DaysOption = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="From N days before the end on.")
]
VendorOption = Annotated[
    list[str] | None, typer.Option(help="Only this vendor; may be given several times.")
]
RefetchOption = Annotated[bool, typer.Option("--refetch", help="Ask again for what was answered.")]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite-curated", help="Curate and score the whole range anew, not only what lacks."
    ),
]
FeaturesOption = Annotated[
    bool,
    typer.Option("--overwrite-features", help="Make the features of the whole range anew."),
]
OutdatedOption = Annotated[
    bool,
    typer.Option(
        "--outdated",
        help="Ask nobody; make anew what other rules, thresholds or definitions of features made "
        "than those in force.",
    ),
]
ThoroughOption = Annotated[
    bool,
    typer.Option(
        "--thorough",
        help="With --outdated: curate anew to find also what the raw logs give otherwise now.",
    ),
]
EngineOption = Annotated[
    Literal["local", "spark"],
    typer.Option(
        help="Where bars are curated and features computed: on this machine, or in the executors "
        "of SPARK_MASTER. Both make the same rows."
    ),
]
NoSnapshotOption = Annotated[
    bool,
    typer.Option(
        "--no-snapshot",
        help="Keep nothing to roll back to; earlier backfills of its sessions cannot be, either.",
    ),
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Run it here, without Dagster's daemon, to its end.")
]
OffPeakOption = Annotated[
    bool,
    typer.Option(
        "--off-peak",
        help="Pieces begin in the window backfill.off_peak of config/automation.yaml alone.",
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Show its progress until it is over, as 'watch' does.")
]
UiOption = Annotated[
    str,
    typer.Option(
        "--ui",
        metavar="URL",
        help="Dagster's webserver; http://127.0.0.1 and EMP_UI_PORT, if not given.",
    ),
]
PilotOption = Annotated[
    bool, typer.Option("--pilot", help="Only the newest few sessions of it, to try and to measure.")
]
