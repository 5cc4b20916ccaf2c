"""Reports of the installation on itself: made, kept, shown.

What belongs here: what the commands that report have in common.
What does not: sections and verdicts (adapters/readiness.py, market_data/operations).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emp.output import print_json, print_line, replace_file, to_json

if TYPE_CHECKING:
    from adapters.modes import Installation
    from adapters.operations_opening import Operations
    from adapters.settings import Settings
    from market_data.operations.account import Account
    from market_data.operations.readiness import Readiness

Form = Literal["json", "markdown"]
DEGRADED_STATUS = 3
"""Exit status where something warns and nothing fails."""


def operations_of(found: Installation) -> Operations:
    """The ports of the operations database."""
    from adapters.operations_opening import open_operations

    streaming = found.servers is not None and found.servers.kafka.streaming
    return open_operations(found.operations_url, streaming=streaming)


def made_readiness(settings: Settings, *, timeout: float) -> Readiness:
    """The verdict over an installation now; it is kept among the reports.

    Args:
        settings: of the installation.
        timeout: seconds after which a part counts as not answering.
    """
    from adapters.backend import open_platform
    from adapters.clock import SystemClock
    from adapters.readiness import readiness
    from emp.parts import installed, probes_of

    found = installed(settings)
    return readiness(
        found,
        probes_of(found),
        SystemClock(),
        platform=lambda: open_platform(settings),
        operations=lambda: operations_of(found),
        timeout=timeout,
    )


def show(form: Form, content: Mapping[str, Any], markdown: str, out: Path | None) -> None:
    """A report on stdout, and in a file where one is named; its ending decides the file's form.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if out is not None:
        as_json = out.suffix == ".json" or (out.suffix != ".md" and form == "json")
        replace_file(out, to_json(content) if as_json else markdown)
    if form == "json":
        print_json(content)
    else:
        print_line(markdown.rstrip())


def concluded(form: Form, report: Account | Readiness, out: Path | None) -> int:
    """Show a report; the exit status of its grade.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    from market_data.operations.grades import Grade

    show(form, report.to_json(), report.to_markdown(), out)
    return {Grade.OK: 0, Grade.WARN: DEGRADED_STATUS, Grade.FAIL: 1}[report.grade]
