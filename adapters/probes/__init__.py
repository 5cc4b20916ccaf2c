"""Cheap looks at every part that an installation stands on, for `emp doctor` and readiness.

One part per file; `probe.py` runs them side by side. A probe changes nothing that stays, but for
the topic `emp.probe` (kafka.py) and the local operations database, which it makes where missing.
"""

from adapters.probes.probe import Facts, Finding, Probe, State, run_probes, worst

__all__ = ["Facts", "Finding", "Probe", "State", "run_probes", "worst"]
