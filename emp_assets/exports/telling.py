"""What a run of an export shows in the UI.

What belongs here: the manifest as metadata, of bounded size. What does not: making it.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from emp_assets.metadata import table
from market_data.exports.manifest import Manifest
from resources.exports import ExportsResource

_SHOWN = 10


def told(exports: ExportsResource, manifest: Manifest | None) -> dict[str, Any]:
    """Metadata of a materialisation."""
    if manifest is None:
        return {}
    folder = exports.store().root / manifest.job
    mine = [unit for unit in manifest.units if unit.run == manifest.run]
    units = pl.DataFrame(
        [{"unit": u.name, "rows": u.rows, "digest": u.digest} for u in mine],
        schema={"unit": pl.String, "rows": pl.Int64, "digest": pl.String},
    )
    return {
        "manifest": dg.MetadataValue.path(str(folder / "manifest.json")),
        "engine": dg.MetadataValue.json(dict(manifest.engine)),
        "written_units": len(mine),
        "written_rows": sum(unit.rows for unit in mine),
        "rows": manifest.rows,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "content_digest": manifest.digest,
        "units": table(units.reverse(), rows=_SHOWN),
    }
