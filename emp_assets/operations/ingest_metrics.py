"""The numbers of ingest by dimension: daily bars, intraday bars, macro events.

Attempts, rows and durations from the journal; how many symbols that somebody keeps current have
bars, and how old the newest are; coverage, score and gaps from quality/scores. Told on
telemetry.ingest.metrics in institutional mode.
"""

from emp_assets.naming import INGEST_METRICS_KEY, SCORES_KEY
from emp_assets.operations.reporting import ReportAsset

ingest_metrics = ReportAsset(INGEST_METRICS_KEY, __doc__, deps=[SCORES_KEY])
