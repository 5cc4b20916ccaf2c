"""One measured ratio and the bar that it must hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A measurement free of the machine's absolute speed.

    Attributes:
        name: what was compared.
        value: the ratio.
        bar: the value that it must reach, or must not exceed.
        higher_is_better: which of the two.
        detail: the numbers behind it.
    """

    name: str
    value: float
    bar: float
    higher_is_better: bool = True
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the bar holds."""
        return self.value >= self.bar if self.higher_is_better else self.value <= self.bar

    def __str__(self) -> str:
        sign = ">=" if self.higher_is_better else "<="
        verdict = "ok" if self.ok else "MISSED"
        return f"{verdict:6} {self.name}: {self.value:.3f} ({sign} {self.bar}) {self.detail}"
