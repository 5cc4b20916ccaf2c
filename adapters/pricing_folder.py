"""A folder of pricing files in the layout of older tools.

What belongs here: writing an entry so that a reader meets it whole or not at all, and deleting
entries. What does not: names, contents, and which entries go (market_data/pricing_files.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from adapters.disk import writing_to
from market_data.errors import ConfigurationError
from market_data.pricing_files import Window, files_to_prune, pricing_metadata

PricingFormat = Literal["parquet", "csv"]


@dataclass(frozen=True)
class Left:
    """Where the files of an entry lie."""

    dataset: Path
    metadata: Path
    issues: Path


def leave(
    folder: Path,
    window: Window,
    frame: pl.DataFrame,
    issues: list[dict[str, Any]],
    *,
    created_at: datetime,
    form: PricingFormat = "parquet",
    more: dict[str, Any] | None = None,
) -> Left:
    """Write an entry.

    Each file appears whole. The metadata comes last: an entry that has it has everything.

    Args:
        folder: made where it does not exist.
        window: what the entry is about.
        frame: its bars.
        issues: what is wrong with them.
        created_at: part of the name.
        form: of the bars.
        more: joins the object `metadata`.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
        StorageError: the disk takes no more.
    """
    entry = window.entry(created_at)
    left = Left(
        folder / f"{entry}.{form}",
        folder / f"{entry}_metadata.json",
        folder / f"{entry}_issues.json",
    )
    metadata = pricing_metadata(
        window,
        created_at=created_at,
        dataset_path=str(left.dataset),
        rows=frame.height,
        more=more or {},
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with writing_to(folder):
            write = frame.write_parquet if form == "parquet" else frame.write_csv
            _whole(left.dataset, write)
            _json(left.issues, {"issues": issues})
            _json(left.metadata, metadata)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from error
    return left


def prune(
    folder: Path, *, now: datetime, retention_days: int | None, max_entries: int | None
) -> list[str]:
    """Delete entries that are too old or too many; names of the files that went.

    Only files of the layout are touched. The metadata goes first, so that no reader finds an entry
    whose bars are gone.
    """
    names = [path.name for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    doomed = files_to_prune(names, now=now, retention_days=retention_days, max_entries=max_entries)
    for name in sorted(doomed, key=lambda n: not n.endswith("_metadata.json")):
        (folder / name).unlink(missing_ok=True)
    return doomed


def _json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, default=str) + "\n"
    _whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
