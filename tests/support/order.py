"""The order of the tests where several processes share them (`-n 3 --dist loadfile`).

What belongs here: which tests one process takes together, and which come first. What does not: what
a single process does, which keeps pytest's own order.

A file goes to one process. As shipped, xdist hands out the files with the most tests first, so that
a file with one test of a minute comes last, and the others wait for one process. Here the files
with slow tests come first. Tests of tests/e2e go to one process together: they share a server and
what it made.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = "tests/e2e/"
HEAVY = "tests/integration/"


class FilesInOrder(LoadFileScheduling):
    """Files in the order of the collection, and one folder as if it were a file."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesInOrder | None:
    """Take the place of `--dist loadfile`; every other way to share tests stays as it is."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return FilesInOrder(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests first, then those of real servers and processes, then the rest."""
    if not hasattr(config, "workerinput"):
        return
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    tests = Counter(item.path for item in items)

    def rank(item: pytest.Item) -> tuple[bool, int, bool, int, str]:
        together, heavy = item.nodeid.startswith(TOGETHER), item.nodeid.startswith(HEAVY)
        path = item.path
        return (not together, -slow[path], not heavy, -tests[path], str(path))

    items.sort(key=rank)
