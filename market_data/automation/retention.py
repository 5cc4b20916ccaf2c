"""How long records are kept: the form of the section `retention` of config/automation.yaml.

What belongs here: the record with its defaults. What does not: reading the file
(adapters/automation.py), which runs may go (resources/run_records.py), market data, of which
nothing goes by itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from market_data.durations import Duration


class RetentionPolicy(BaseModel):
    """What of Dagster's records goes, and when.

    Attributes:
        runs: runs that ended so long ago go with their events and logs, but for those on which the
            state of a session stands.
        at_once: so many go in one run of the job; the next one goes on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: Annotated[Duration, Field(ge=timedelta(days=7))] = timedelta(days=90)
    at_once: Annotated[int, Field(ge=1, le=100_000)] = 2_000
