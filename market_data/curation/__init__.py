"""Curation: raw bars of many vendors in, one trusted series out.

What belongs here: the rules, one step per module, in the order in which a bar meets them:
`preparation` (one vendor alone), with `placement`, `units`, `undone_splits` and
`split_evidence`; `candidates` (what its basis means); `resampling`; `disagreement` (vendors
against each other) and `peers` (the same for the checks); `stitching`; `marks`; `contracts` (the
schema at the write boundary); `curate`, which puts them together.
What does not: rules about one row (market_data/validation.py), limits and findings
(market_data/quality), reading and writing (market_data/pipeline).
"""

from market_data.curation.curate import CurationInput, CurationResult, curate

__all__ = ["CurationInput", "CurationResult", "curate"]
