"""Receipts of copies, kept in a file of the data folder that both modes share.

What belongs here: remembering digests. What does not: what a copy makes of them
(market_data/pipeline/migration.py).

A file that is lost costs nothing but the word --overwrite in the next copy.
"""

from __future__ import annotations

from pathlib import Path


class CopyReceipts:
    """Receipts in a text file, one per line, read once.

    Args:
        file: where they are kept; made with the first receipt.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = set(file.read_text().splitlines()) if file.exists() else set()

    def knows(self, part: str, digest: str) -> bool:
        """Whether a copy has once read rows of this digest, on either side."""
        return f"{part} {digest}" in self._known

    def note(self, part: str, digest: str) -> None:
        """Remember that a copy has read these rows."""
        line = f"{part} {digest}"
        if line in self._known:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            # The end of the line comes first: half a line of a process that died spoils no other.
            file.write(f"\n{line}")
        self._known.add(line)
