"""How old a database's tables are beside this program, and what to do about it.

What belongs here: the comparison of revisions, its words and its cure, the same for every database.
What does not: reading a database's revision (its adapter), migrating.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class Age(StrEnum):
    """A database's tables beside what this program needs; the value is for people."""

    CURRENT = "up to date"
    BEHIND = "behind"
    NEWER = "newer than this program"


CURES = {
    Age.CURRENT: "look again: it was migrated in this moment",
    Age.BEHIND: "run 'emp migrate'",
    Age.NEWER: "a newer version made these tables: update this program",
}


def age_of(stored: str | None, head: str, scripts: Path) -> Age:
    """How old tables are.

    Args:
        stored: the revision that the database says it is at; None for one without tables.
        head: the newest revision that this program knows.
        scripts: folder of its migrations, to tell older revisions from unknown ones.
    """
    if stored == head:
        return Age.CURRENT
    if stored is None:
        return Age.BEHIND
    # Loaded only for what is not as it should be.
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(scripts)).walk_revisions()}
    return Age.BEHIND if stored in known else Age.NEWER


def told(stored: str | None, head: str) -> str:
    """A database's revision beside the one that is needed, as part of a sentence."""
    return f"at revision {stored or 'none'}, this program needs {head}"
