"""Progress on stderr: what a command is doing, for a person who waits.

What belongs here: lines where nobody watches, one line that changes on a terminal.
What does not: results; they go to stdout, and nothing else does.
"""

from __future__ import annotations

import sys
from typing import Any


class Narrator:
    """Tells of steps and of what happens within them.

    Args:
        debug: also let Dagster log, to stderr.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self.dagster_level = "DEBUG" if debug else "CRITICAL"
        self._status: Any = None
        if sys.stderr.isatty() and not debug:
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False).status("")

    def __enter__(self) -> Narrator:
        """Begin to tell."""
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the changing line away."""
        if self._status is not None:
            self._status.stop()

    def step(self, text: str) -> None:
        """What begins now; on a terminal the line that changes."""
        if self._status is None:
            self.say(text)
        else:
            from rich.markup import escape

            self._status.update(escape(text))

    def say(self, text: str) -> None:
        """A sentence that stays."""
        if self._status is None:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        else:
            self._status.console.print(text, markup=False, soft_wrap=True)
