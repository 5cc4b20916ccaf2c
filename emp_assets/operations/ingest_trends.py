"""The newest run of every feed against the ten before it: rows, freshness, failures in a row.

Rows are counted against the bars that the calendar expects of what was asked for, and freshness
against the end of it, so that a load of history or a holiday is no trend. Told on
telemetry.ingest.trends in institutional mode.
"""

from emp_assets.naming import INGEST_METRICS_KEY, INGEST_TRENDS_KEY
from emp_assets.operations.reporting import ReportAsset

ingest_trends = ReportAsset(
    INGEST_TRENDS_KEY,
    __doc__,
    deps=[INGEST_METRICS_KEY],
    check="No feed brings much less, or much later, than in its runs before, or keeps failing.",
)
