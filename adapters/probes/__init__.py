"""Cheap looks at every part that an installation stands on, for `emp doctor` and readiness.

One part per file; `probe.py` runs them side by side. A probe changes nothing that stays.
"""

from adapters.probes.probe import Facts, Finding, Probe, State, run_probes, worst

__all__ = ["Facts", "Finding", "Probe", "State", "run_probes", "worst"]
