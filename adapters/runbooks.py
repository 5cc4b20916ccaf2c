"""Where the pages of docs/runbooks are, and what one of them says about a code.

What belongs here: from the address that an installation has for them to a link, and to the text
of a page. What does not: which page a finding has (market_data/runbook_places.py), who shows it.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from adapters.settings import PROJECT

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PLACES = re.compile(r"^## \w+$", re.MULTILINE)


def linked_runbooks(address: str) -> str:
    """Where links to the pages lead, whoever follows them on this machine.

    Args:
        address: of their folder, as the alerts have it: a URL, or a path, below the installation's
            own folder where it is relative.

    Returns:
        The URL, that of the folder where it is there; else empty.
    """
    if "://" in address:
        return address.rstrip("/")
    folder = PROJECT / address
    return folder.as_uri() if folder.is_dir() else ""


def is_web(address: str) -> bool:
    """Whether a browser follows it from another page: it opens no file for one."""
    return address.startswith(("https://", "http://"))


def page_text(folder: str, page: str) -> str:
    """What a page says, as Markdown.

    Args:
        folder: its URL, of `linked_runbooks`.
        page: its name, perhaps with a place: check-drift.md#drift. With one, of the parts about
            single codes that of this code alone is told.

    Returns:
        Its text without links, which would lead nowhere elsewhere; empty where it is not there.
    """
    parts = urlsplit(folder)
    if parts.scheme != "file":
        return ""
    name, _, place = page.partition("#")
    return _told(Path(url2pathname(parts.path)) / name, place)


@cache
def _told(file: Path, place: str) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return ""
    text = _LINK.sub(r"\1", text)
    if not place:
        return text
    starts = [*(found.start() for found in _PLACES.finditer(text)), len(text)]
    steps = text[: starts[0]]
    own = [
        text[start:end]
        for start, end in pairwise(starts)
        if text[start:end].startswith(f"## {place}\n")
    ]
    return "\n".join(part.strip() + "\n" for part in (steps, *own))
