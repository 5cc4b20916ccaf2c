"""How long a backfill takes: from counts and rates to seconds.

What belongs here: the parts of an estimate, the rates behind them and how earlier runs correct
them. What does not: counting (market_data/pipeline/backfill.py).

The estimate is a sum: pieces run one after another, and within a piece vendors are asked one after
another. A vendor's part is what its answers take, or what its limits make of the requests,
whichever is longer. What remains is a start per piece, and work (curating, scoring, checks,
Dagster's own events) that is estimated from rates that were measured on one machine, scaled by how
wrong they were for earlier pieces here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

REQUEST_SECONDS = 0.5
"""Of a vendor that nobody has asked yet."""
LAUNCH_SECONDS = 6.0
"""A process, its imports and an opened instance."""
DRAWN = 0.01
"""How much the default rates count beside a measured piece."""
EVENT_SECONDS = 0.008
"""Dagster's own events, per asset and partition."""
BAR_SECONDS = 5e-6
"""Landing, curating and scoring one bar."""


@dataclass(frozen=True)
class Measured:
    """What a piece that went through tells of this machine and its vendors.

    Attributes:
        work: the seconds that the default rates give for all but its start and its vendors.
        seconds: what all but its vendors took, its start included.
        vendor_seconds: what each vendor took.
        requests: how many requests each vendor was planned to take.
    """

    work: float
    seconds: float
    vendor_seconds: Mapping[str, float] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rates:
    """What is known of this machine and its vendors.

    Attributes:
        scale: of the default rates of work.
        request_seconds: per request, by vendor.
        pieces: how many earlier pieces this rests on; 0: on defaults alone.
        launch: seconds of the start of a piece.
    """

    scale: float = 1.0
    request_seconds: Mapping[str, float] = field(default_factory=dict)
    pieces: int = 0
    launch: float = LAUNCH_SECONDS

    @classmethod
    def of(cls, measured: Iterable[Measured]) -> Rates:
        """The rates that some pieces tell; one odd piece does not decide."""
        known = [m for m in measured if m.work > 0]
        if not known:
            return cls()
        per_vendor: dict[str, list[float]] = {}
        for one in known:
            for vendor, seconds in one.vendor_seconds.items():
                if one.requests.get(vendor):
                    per_vendor.setdefault(vendor, []).append(seconds / one.requests[vendor])
        launch, scale = _fitted(known)
        return cls(
            scale,
            {vendor: median(seconds) for vendor, seconds in sorted(per_vendor.items())},
            len(known),
            launch,
        )

    def work(self, pieces: Iterable[float]) -> float:
        """Seconds of some pieces without their vendors.

        Args:
            pieces: what the default rates give for the work of each.
        """
        return sum(self.launch + self.scale * work for work in pieces)


def _fitted(measured: Iterable[Measured]) -> tuple[float, float]:
    """The start and the scale that fit some pieces: least squares of the relative errors.

    Small pieces tell of the start, large ones of the scale. Where all are alike, what they cannot
    tell is drawn from the default rates: a pilot of seconds makes no claim about hours. The start
    is drawn to that of a machine as fast as this one: on one that is busy, or slow, the default
    start would weigh as much as what was measured.
    """
    measured = list(measured)
    start = LAUNCH_SECONDS * median(
        max(m.seconds, 0.1) / (LAUNCH_SECONDS + m.work) for m in measured
    )
    aa, ay = DRAWN / start**2, DRAWN / start
    bb, by, ab = DRAWN, DRAWN, 0.0
    for one in measured:
        seconds = max(one.seconds, 0.1)
        share = one.work / seconds
        aa, ay = aa + 1 / seconds**2, ay + 1 / seconds
        bb, by, ab = bb + share**2, by + share, ab + share / seconds
    both = aa * bb - ab * ab
    launch, scale = (ay * bb - by * ab) / both, (by * aa - ay * ab) / both
    if launch < 0:
        return 0.0, by / bb
    return (launch, scale) if scale > 0 else (ay / aa, 0.0)


@dataclass(frozen=True)
class Estimate:
    """Seconds that a backfill is expected to take.

    Attributes:
        vendors: waiting for vendors, their limits included.
        work: everything else.
        pieces: how many earlier pieces it rests on; 0: on defaults alone.
        bytes: on disk, about.
    """

    vendors: float
    work: float
    pieces: int = 0
    bytes: int = 0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.vendors + self.work

    def to_json(self) -> dict[str, Any]:
        """The estimate as one JSON object."""
        return {
            "vendors": round(self.vendors, 1),
            "work": round(self.work, 1),
            "pieces": self.pieces,
            "bytes": self.bytes,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Estimate:
        """An estimate as it was written."""
        return cls(content["vendors"], content["work"], content["pieces"], content["bytes"])


def work_seconds(*, days: int, assets: int, bars: int) -> float:
    """Seconds of the work of one piece, by the default rates; without its start and its vendors.

    Args:
        days: partitions of its range.
        assets: that its run makes.
        bars: that it lands and curates.
    """
    return EVENT_SECONDS * days * assets + BAR_SECONDS * bars


def vendor_seconds(requests: int, limited: float, rate: float | None) -> float:
    """Seconds that one vendor takes.

    Args:
        requests: how many.
        limited: what its limits make of them, at most.
        rate: seconds per request as measured; None where nobody has.
    """
    return max(limited, requests * (REQUEST_SECONDS if rate is None else rate))
