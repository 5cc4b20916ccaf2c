"""The vendors of an installation, by their names in the universe.

What belongs here: from a name to what its reader's profile and the request counts say.
What does not: readers (registry.py and the packages beside it), counting (adapters/requests).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from adapters.requests.opening import Gates
from adapters.settings import Settings
from adapters.vendors.profile import Means, VendorProfile
from adapters.vendors.registry import build_vendor, profile_of
from market_data.answer_shapes import AnswerFields
from market_data.ports import Telling, Vendor, Window
from market_data.timeframes import Timeframe
from market_data.universe import Universe


@dataclass(frozen=True)
class ConfiguredVendors:
    """Implements `market_data.ports.Vendors`.

    Attributes:
        universe: which vendors there are.
        settings: of the installation.
        gates: grant their requests.
    """

    universe: Universe
    settings: Settings
    gates: Gates

    @property
    def patience(self) -> timedelta:
        """How long a request waits for its turn."""
        return timedelta(seconds=self.settings.request_patience)

    def open(
        self,
        name: str,
        *,
        path: str | None = None,
        spec: str | None = None,
        prices_as_of: date | None = None,
    ) -> Vendor:
        """The vendor, ready to be asked."""
        config = self.universe.vendor(name)
        means = Means(self.settings, self.gates.of(config.reader), self.universe.earliest_bar)
        return build_vendor(config, means, path=path, spec=spec, prices_as_of=prices_as_of)

    def why_off(self, name: str) -> str:
        """Why it cannot be asked; empty where it can."""
        return self._profile(name).why_off()

    def delay(self, name: str) -> timedelta:
        """Time after a bar's end at which it can be had."""
        return self._profile(name).delay

    def settling(self, name: str) -> timedelta | None:
        """Time after a session's close from which missing bars are not to be expected any more."""
        return self._profile(name).settling

    def tells_splits(self, name: str, timeframe: Timeframe) -> Telling:
        """Which of its answers about bars of this length tell every split since their first bar."""
        profile, config = self._profile(name), self.universe.vendor(name)
        if profile.tells_splits is None:
            return Telling.NONE
        return profile.tells_splits(profile.options_of(name, config.options), timeframe)

    def fields(self, name: str) -> AnswerFields | None:
        """Which fields of its answers matter; None where their shape is not watched."""
        return self._profile(name).fields

    def windows(self, name: str) -> tuple[Window, ...]:
        """How much is used now of what it lets us ask."""
        return self.gates.windows(self.universe.vendor(name).reader)

    def _profile(self, name: str) -> VendorProfile:
        return profile_of(self.universe.vendor(name).reader)
