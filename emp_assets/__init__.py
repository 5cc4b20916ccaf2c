"""The asset graph: one file per dataset, its checks beside it.

What belongs here: asset functions that call one use-case of market_data/pipeline and describe what
it did to the UI.
What does not: the use-cases and rules themselves (market_data), which adapter serves (resources).
"""

import warnings

import dagster as dg

# Two features that Dagster 1.13 calls beta and preview carry the graph: one run per range, and
# checks with partitions. tests/compat holds what they do; any other such warning still shows.
warnings.filterwarnings("ignore", message=".*backfill_policy", category=dg.BetaWarning)
warnings.filterwarnings(
    "ignore", message=".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning
)
