"""What the platform knows of the invented vendors before it asks.

What belongs here: their options and how they are made. What does not: any bar.
"""

from __future__ import annotations

from datetime import timedelta

from adapters.vendors.profile import Means, Options, VendorProfile, every_answer
from market_data.ports import Vendor
from market_data.universe import VendorConfig


class SampleOptions(Options):
    """What an entry of the universe may say."""

    seed: int = 7
    """Decides every price of both vendors."""

    faults: bool = True
    """Whether errors are planted."""


def _build(config: VendorConfig, options: SampleOptions, _means: Means) -> Vendor:
    from adapters.vendors.sample.vendor import SampleVendor

    return SampleVendor(config.name, seed=options.seed, faults=options.faults)


PROFILE = VendorProfile(
    reader="sample",
    options=SampleOptions,
    delay=timedelta(0),
    # Invented bars are all there at once, or never.
    settling=timedelta(0),
    tells_splits=every_answer,
    build=_build,
)
