"""Which table holds which dataset; the only source of identifiers in statements.

What belongs here: names and columns of tables, by dataset.
What does not: making them (migrations), statements (reading.py, writing.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from market_data.datasets import STORED, Dataset
from market_data.errors import ConfigurationError


@dataclass(frozen=True)
class Table:
    """The table of a dataset.

    Attributes:
        schema: database schema, the dataset's layer.
        name: table in it.
        time: the column that it is cut into chunks by.
    """

    schema: str
    name: str
    time: str

    @property
    def quoted(self) -> str:
        """As a statement names it."""
        return f'"{self.schema}"."{self.name}"'


def _table(dataset: Dataset) -> Table:
    layer, name = dataset.name.split("/")
    return Table(layer, name, dataset.time_column)


_TABLES = {dataset.name: _table(dataset) for dataset in STORED}


def table_of(dataset: Dataset) -> Table:
    """The table of a dataset.

    Raises:
        ConfigurationError: TimescaleDB keeps no such dataset, or not with these columns.
    """
    found = _TABLES.get(dataset.name)
    if found is None:
        raise ConfigurationError(
            f"TimescaleDB keeps no dataset {dataset.name!r}; it keeps: {', '.join(_TABLES)}"
        )
    if dataset not in STORED:
        raise ConfigurationError(f"TimescaleDB keeps {dataset.name} with other columns than these")
    return found


def columns_of(dataset: Dataset) -> str:
    """The columns of a dataset, as a statement lists them."""
    return ", ".join(f'"{name}"' for name in dataset.schema.names)
