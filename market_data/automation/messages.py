"""Messages that ask for a refresh: the form of the section `messages` of config/automation.yaml.

What belongs here: the record with its defaults. What does not: what a message says
(market_data/refresh_messages.py).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class MessageRules(BaseModel):
    """How messages become backfills.

    Attributes:
        batch: so many are taken at once, at most.
        backfills: from how many backfills on those of one dataset become fewer, which ask for
            whole months of all of their symbols.
        largest: a message that names more days of symbols is parked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    backfills: Annotated[int, Field(ge=1, le=500)] = 20
    largest: Annotated[int, Field(ge=1)] = 20_000
