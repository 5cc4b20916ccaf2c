"""The invented instruments: how they trade, how much they move, their corporate actions.

What belongs here: facts about the instruments as data.
What does not: bars (truth.py), errors of a vendor (faults.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from market_data.universe import AssetClass

LISTED = date(2024, 1, 2)
"""First session of every instrument; there is no last one."""


@dataclass(frozen=True)
class DemoAction:
    """A corporate action.

    Attributes:
        kind: split or dividend.
        ex_date: first session that trades without the entitlement.
        value: shares after per share before, or cash per share.
        announced: the day from which it is known.
    """

    kind: str
    ex_date: date
    value: float
    announced: date


@dataclass(frozen=True)
class DemoInstrument:
    """One invented instrument.

    Attributes:
        symbol: its name, at both vendors too.
        asset_class: FX, equity or crypto.
        calendar: calendar code of its sessions.
        price: price before its first session, after all splits.
        volatility: standard deviation of a day's log return.
        overnight: standard deviation of open against the previous close, as a share of
            `volatility`; 0 where trading does not stop.
        decimals: decimal places of a price.
        volume: units of a usual day, after all splits.
        actions: corporate actions, oldest first.
    """

    symbol: str
    asset_class: AssetClass
    calendar: str
    price: float
    volatility: float
    overnight: float
    decimals: int
    volume: float
    actions: tuple[DemoAction, ...] = ()

    @property
    def splits(self) -> tuple[DemoAction, ...]:
        """The splits among the actions."""
        return tuple(a for a in self.actions if a.kind == "split")


INSTRUMENTS: dict[str, DemoInstrument] = {
    i.symbol: i
    for i in (
        DemoInstrument(
            "DEMO-ACME",
            AssetClass.EQUITY,
            "XNYS",
            price=120.0,
            volatility=0.016,
            overnight=0.25,
            decimals=2,
            volume=2_400_000,
            actions=(DemoAction("dividend", date(2024, 2, 9), 0.35, date(2024, 1, 25)),),
        ),
        DemoInstrument(
            "DEMO-GLOBEX",
            AssetClass.EQUITY,
            "XNYS",
            price=62.0,
            volatility=0.019,
            overnight=0.25,
            decimals=2,
            volume=5_200_000,
            actions=(DemoAction("split", date(2024, 3, 4), 2.0, date(2024, 2, 20)),),
        ),
        DemoInstrument(
            "DEMO-EURUSD",
            AssetClass.FX,
            "fx",
            price=1.1,
            volatility=0.0045,
            overnight=0.05,
            decimals=5,
            volume=180_000,
        ),
        DemoInstrument(
            "DEMO-BTC",
            AssetClass.CRYPTO,
            "24/7",
            price=44_000.0,
            volatility=0.025,
            overnight=0.0,
            decimals=2,
            volume=30_000,
        ),
    )
}
"""The invented instruments by symbol."""
