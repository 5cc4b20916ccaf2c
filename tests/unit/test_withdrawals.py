"""Withdrawn fetches in a folder, while other withdrawals come and go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adapters.stores.withdrawals import FOLDER, WithdrawnFetches


def test_a_withdrawal_that_is_taken_back_meanwhile_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawn = WithdrawnFetches(tmp_path)
    for name in ("a", "b", "c"):
        withdrawn.withdraw(name, {"raw/x": [f"fetch {name}"]})
    listed = os.scandir

    class Racing:
        """A listing of which one file goes before it is looked at."""

        def __enter__(self) -> Any:
            with listed(tmp_path / FOLDER) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            (tmp_path / FOLDER / "b.json").unlink()
            return iter(found)

        def __exit__(self, *_: object) -> None: ...

    with monkeypatch.context() as patched:
        patched.setattr("adapters.stores.withdrawals.os.scandir", lambda _: Racing())
        assert withdrawn.of("raw/x") == {"fetch a", "fetch c"}
    assert withdrawn.of("raw/x") == {"fetch a", "fetch c"}


def test_nothing_is_withdrawn_where_nothing_ever_was(tmp_path: Path) -> None:
    assert WithdrawnFetches(tmp_path / "none").of("raw/x") == frozenset()
