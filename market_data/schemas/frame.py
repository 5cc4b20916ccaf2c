"""The form of a schema, and the columns that frames of several themes share.

What belongs here: `FrameSchema`, making a frame fit one, columns that mean the same everywhere.
What does not: the schemas themselves (the modules beside this one).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import polars as pl

from market_data.errors import SchemaError

UTC = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column: its type, what it means, and whether a row may leave it empty."""

    name: str
    dtype: pl.DataType
    description: str
    nullable: bool = False


@dataclass(frozen=True)
class FrameSchema:
    """The ordered columns of a kind of frame."""

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Column name to Polars type, in order."""
        return {c.name: c.dtype for c in self.columns}

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self.dtypes)

    def empty(self) -> pl.DataFrame:
        """A frame with these columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same rows with exactly these columns, in order and cast.

        A nullable column that is absent is added as nulls; a column that is not in the schema is
        left out.

        Raises:
            SchemaError: a required column is absent, or a value does not fit its type.
        """
        absent = [c.name for c in self.columns if c.name not in frame.columns and not c.nullable]
        if absent:
            raise SchemaError(f"{self.name}: columns missing: {', '.join(absent)}")
        try:
            return frame.select(
                pl.col(c.name).cast(c.dtype)
                if c.name in frame.columns
                else pl.lit(None, dtype=c.dtype).alias(c.name)
                for c in self.columns
            )
        except pl.exceptions.InvalidOperationError as error:
            raise SchemaError(f"{self.name}: {error}") from error

    def check(self, frame: pl.DataFrame) -> None:
        """Refuse a frame that differs from the schema in names, order, types or empty cells.

        Raises:
            SchemaError: naming every difference.
        """
        wrong = []
        if frame.columns != self.names:
            wrong.append(f"columns are {frame.columns}, expected {self.names}")
        wrong += [
            f"{name} is {frame.schema[name]}, expected {dtype}"
            for name, dtype in self.dtypes.items()
            if name in frame.columns and frame.schema[name] != dtype
        ]
        required = [c.name for c in self.columns if not c.nullable and c.name in frame.columns]
        nulls = frame.select(pl.col(required).null_count()).row(0) if required else ()
        wrong += [f"{name} has {n} nulls" for name, n in zip(required, nulls, strict=True) if n]
        if wrong:
            raise SchemaError(f"{self.name}: " + "; ".join(wrong))


def column(name: str, dtype: object, description: str, *, nullable: bool = False) -> Column:
    """A column; Polars' types are given as instances."""
    return Column(name, cast("pl.DataType", dtype), description, nullable)


SYMBOL = column("symbol", pl.String(), "permanent instrument id")
SESSION = column("session", pl.Date(), "trading session that the bar belongs to")
