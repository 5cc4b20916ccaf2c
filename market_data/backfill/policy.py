"""How large backfills are treated: the form of the section `backfill` of config/automation.yaml.

What belongs here: the record with its defaults. What does not: reading the file
(adapters/automation.py), applying a limit (the modules beside this one).
"""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from market_data.backfill.window import Window, window_of
from market_data.durations import Duration


class BackfillPolicy(BaseModel):
    """How backfills are cut, repeated and guarded.

    Attributes:
        bars_per_run: a range that expects more bars is cut at ends of months or years.
        attempts: how often a piece is tried before it counts as failed.
        guard_symbol_sessions: a larger backfill is launched only after its pilot has passed.
        pilot_sessions: a pilot takes so many of the newest sessions.
        pilot_symbols: and, of each vendor and asset class, at least so many symbols.
        pilot_valid: how long a pilot speaks for the whole.
        max_runtime: a piece that takes longer is ended, and counts as failed.
        off_peak: pieces of a backfill that was launched for it begin in this span of the day alone.
        off_peak_above: so does every backfill of more symbol-sessions, whoever launches it.
        snapshot: which launches keep what the stores hold of their scope: always, guarded for those
            larger than the guard, or never.
        snapshots_keep: how long a backfill can be rolled back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bars_per_run: Annotated[int, Field(ge=1)] = 2_000_000
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    guard_symbol_sessions: Annotated[int, Field(ge=0)] = 20_000
    pilot_sessions: Annotated[int, Field(ge=1)] = 5
    pilot_symbols: Annotated[int, Field(ge=1)] = 5
    pilot_valid: Duration = timedelta(days=7)
    max_runtime: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=6)
    off_peak: Annotated[Window, BeforeValidator(window_of)] = Window(
        time(22), time(6), "America/New_York"
    )
    off_peak_above: Annotated[int, Field(ge=0)] | Literal["never"] = "never"
    snapshot: Literal["always", "guarded", "never"] = "always"
    snapshots_keep: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=30)

    def begins_off_peak(self, symbol_sessions: int) -> bool:
        """Whether a launch of so many symbol-sessions waits for the off-peak window by itself."""
        return self.off_peak_above != "never" and symbol_sessions > self.off_peak_above

    def keeps(self, symbol_sessions: int) -> bool:
        """Whether a launch of so many symbol-sessions keeps what the stores hold."""
        if self.snapshot == "guarded":
            return symbol_sessions > self.guard_symbol_sessions
        return self.snapshot == "always"
