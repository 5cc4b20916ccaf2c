"""Noise that depends on nothing but its key and a counter.

What belongs here: counter-based pseudo-random numbers, so that the value of one bar never depends
on which bars were asked for before it.
What does not: what the numbers are used for.

The mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
Pseudorandom Number Generators, 2014).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counters = npt.NDArray[np.uint64]

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def uniform(key: str, counters: npt.ArrayLike) -> Floats:
    """One number in (0, 1) per counter."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    offset = np.uint64(int.from_bytes(digest, "big"))
    numbers = np.atleast_1d(np.asarray(counters)).astype(np.uint64)
    mixed = _mix(_mix(numbers * _INCREMENT + offset) + _INCREMENT)
    result: Floats = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return result


def normal(key: str, counters: npt.ArrayLike) -> Floats:
    """One standard normal number per counter, by the Box-Muller transform."""
    radius = np.sqrt(-2.0 * np.log(uniform(key + "/radius", counters)))
    result: Floats = radius * np.cos(2.0 * np.pi * uniform(key + "/angle", counters))
    return result


def _mix(numbers: Counters) -> Counters:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _FIRST
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _SECOND
    return numbers ^ (numbers >> np.uint64(31))
