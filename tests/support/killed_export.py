"""An export whose process is killed in the middle: python -m tests.support.killed_export FOLDER AT.

What belongs here: the three moments: while files are written, when the folder of the run has moved,
when the new manifest lies beside the old one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from adapters.exports import store
from adapters.exports.files import Facts
from adapters.exports.polars_engine import PolarsEngine
from tests.support.exports import MINUTES, exporter, quiet


def die(*_: object) -> None:
    """End as after kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(PolarsEngine):
    """Writes its files and dies."""

    def write(self, *given: object) -> list[Facts]:  # type: ignore[override]
        super().write(*given)  # type: ignore[arg-type]
        die()
        return []


def main() -> None:
    """Export, and die on the way."""
    root, moment = Path(sys.argv[1]), sys.argv[2]
    engine = Dying() if moment == "writing" else PolarsEngine()
    if moment == "moved":
        store.ExportStore._keep_former = die  # type: ignore[method-assign]
    if moment == "draft":
        store._replace = _half  # type: ignore[assignment]
    exporter(root, engine).run(MINUTES, None, "killed-1", quiet)


def _half(file: Path, text: str, draft: Path) -> None:
    draft.write_text(text[: len(text) // 2])
    if file.name == store.MANIFEST:
        die()


if __name__ == "__main__":
    main()
