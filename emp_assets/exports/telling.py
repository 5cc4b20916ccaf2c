"""What a run of an export shows in the UI.

What belongs here: the manifest as metadata, of bounded size. What does not: making it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.metadata import table
from market_data.exports.manifest import Manifest
from resources.exports import ExportsResource

_SHOWN = 10


def told(exports: ExportsResource, manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Metadata of a materialisation, of one export or of several."""
    written = [(m.job, unit) for m in manifests for unit in m.units if unit.run == m.run]
    units = pl.DataFrame(
        [
            {"export": name, "unit": unit.name, "rows": unit.rows, "digest": unit.digest}
            for name, unit in written
        ],
        schema={"export": pl.String, "unit": pl.String, "rows": pl.Int64, "digest": pl.String},
    )
    root = exports.store().root
    return {
        "manifest": dg.MetadataValue.path(
            ", ".join(str(root / manifest.job / "manifest.json") for manifest in manifests)
        ),
        "engine": dg.MetadataValue.json(dict(manifests[0].engine)),
        "written_units": len(written),
        "written_rows": sum(unit.rows for _, unit in written),
        "rows": sum(manifest.rows for manifest in manifests),
        "files": sum(len(manifest.files) for manifest in manifests),
        "bytes": sum(manifest.bytes for manifest in manifests),
        "content_digest": ", ".join(manifest.digest for manifest in manifests),
        "units": table(units.reverse(), rows=_SHOWN),
    }
