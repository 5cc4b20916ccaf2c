"""Models for tests of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass
class Momentum:
    """Twice the return of a bar."""

    name: str = "momentum"
    version: str = "1"
    needs: tuple[str, ...] = ("ret_1",)

    def predict(self, features: pl.DataFrame) -> Any:
        assert features["ret_1"].null_count() == 0
        return (features["ret_1"] * 2).to_numpy()


class Forgetful(Momentum):
    """It answers about one row less."""

    def predict(self, features: pl.DataFrame) -> Any:
        return [0.0] * (features.height - 1)


class Wordy(Momentum):
    """Its answers are words."""

    def predict(self, features: pl.DataFrame) -> Any:
        return ["up"] * features.height


class Silent(Momentum):
    """It names no output."""

    def predict(self, features: pl.DataFrame) -> Any:
        return {}


class Boundless(Momentum):
    """One of its answers has no end."""

    def predict(self, features: pl.DataFrame) -> Any:
        return [*[0.0] * (features.height - 1), float("-inf")]


class Doubtful(Momentum):
    """It has two outputs, of which it never knows the one."""

    def predict(self, features: pl.DataFrame) -> Any:
        return {"size": features["ret_1"].abs(), "up": [float("nan")] * features.height}


class Several(Momentum):
    """Two outputs by name."""

    def predict(self, features: pl.DataFrame) -> Any:
        return {"up": features["ret_1"] > 0, "size": features["ret_1"].abs()}


momentum_2 = Momentum(version="2")
nothing = 3
