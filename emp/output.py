"""Results on stdout: tables, JSON, CSV, Parquet.

What belongs here: the form of what a command prints. What does not: progress (emp/narration.py).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    import polars as pl

Format = Literal["table", "json", "csv", "parquet"]
_NOTE = 60
"""Characters of a text that a table holds beside other columns."""


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(to_json(content))


def to_json(content: Any) -> str:
    """One JSON document as text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"


def replace_file(out: Path, text: str) -> None:
    """Write a file of --out in one step: a reader meets the former one or this one.

    Raises:
        ConfigurationError: it cannot be written.
    """
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_text(text)
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"--out: cannot write {out}: {error.strerror}") from error


def print_line(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(f"{text}\n")


def table(frame: pl.DataFrame, *, rows: int | None = None) -> str:
    """A frame as text, with every column, and every row unless told otherwise."""
    import polars as pl

    with pl.Config(
        tbl_rows=-1 if rows is None else rows,
        tbl_cols=-1,
        tbl_width_chars=250,
        fmt_str_lengths=80,
        tbl_formatting="ASCII_MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        float_precision=None,
    ):
        return str(frame)


def table_with_notes(frame: pl.DataFrame, column: str) -> str:
    """A frame as text whose sentences stand whole below it, numbered.

    A table has no room for a sentence, and the end of one is where the cure stands.

    Args:
        frame: what is shown.
        column: of sentences; short ones stay in the table.
    """
    import polars as pl

    texts = frame[column].unique(maintain_order=True).drop_nulls()
    notes = {
        text: f"[{n}]" for n, text in enumerate(texts.filter(texts.str.len_chars() > _NOTE), 1)
    }
    if not notes:
        return table(frame)
    shown = table(frame.with_columns(pl.col(column).replace(notes)))
    return "\n".join([shown, "", *(f"{number} {text}" for text, number in notes.items())])


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: times as ISO text in UTC, what is not finite as null."""
    return _textual(frame).to_dicts()


def _textual(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    floats = pl.selectors.float()
    return frame.with_columns(
        pl.selectors.date().dt.to_string("%Y-%m-%d"),
        pl.selectors.datetime().dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"),
        pl.when(floats.is_finite()).then(floats),
    )


def write_frame(frame: pl.DataFrame, form: Format, out: Path | None) -> None:
    """A frame in one of the forms, to a file or to stdout.

    Raises:
        ConfigurationError: Parquet would go to a terminal, or the file cannot be written.
    """
    if form == "parquet" and out is None and sys.stdout.isatty():
        raise ConfigurationError("--format parquet is no text: name a file with --out")
    content = _encoded(frame, form)
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"--out: cannot write {out}: {error.strerror}") from error
    sys.stderr.write(f"{frame.height} rows in {out}\n")


def _encoded(frame: pl.DataFrame, form: Format) -> bytes:
    if form == "parquet":
        from io import BytesIO

        buffer = BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if form == "csv":
        return _textual(frame).write_csv().encode()
    if form == "json":
        return (json.dumps(records(frame), ensure_ascii=False) + "\n").encode()
    return (table(frame) + "\n").encode()
