"""The platform's code location with one more job, which does nothing.

What belongs here: what launch.py launches: loading it costs what loading the platform costs. What
does not: measuring.
"""

import dagster as dg

import definitions


@dg.op(out=dg.Out(dg.Nothing))
def nothing() -> None:
    """No work at all."""


@dg.job(executor_def=dg.in_process_executor)
def no_op() -> None:
    """A run that costs nothing but its launch."""
    nothing()


defs = dg.Definitions.merge(definitions.defs(), dg.Definitions(jobs=[no_op]))
