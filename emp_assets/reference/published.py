"""What a reference table held before a run."""

from __future__ import annotations

import dagster as dg
import polars as pl

from adapters.stores.reference_tables import ReferenceStore


def published(store: ReferenceStore, key: dg.AssetKey) -> pl.DataFrame | None:
    """The rows of a table; None where it was never materialised."""
    try:
        return store.get("/".join(key.path))
    except FileNotFoundError:
        return None
