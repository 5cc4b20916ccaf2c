"""Whether there is as much history as is asked for, and what is older than is kept.

By dataset and rule of config/retention.yaml: ok, warn below the target, fail below the minimum,
with the symbols that fall short. Told on telemetry.data_backbone.retention in institutional mode;
the same as `emp report retention`.
"""

from emp_assets.naming import DATA_RETENTION_KEY, SCORES_KEY
from emp_assets.operations.reporting import ReportAsset, report_assets

data_retention = report_assets(
    ReportAsset(
        DATA_RETENTION_KEY,
        __doc__,
        deps=[SCORES_KEY],
        check="Every symbol that is kept current has the history that is asked for.",
    ),
)
