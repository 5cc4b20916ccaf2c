"""An installation whose vendor says other prices of past bars now and then; features follow.

What belongs here: the files of one coin, telling them anew, and taking them in as a daily run does.
What does not: assertions.

    house = RestatedHouse(tmp_path)
    house.refresh(datetime(2024, 3, 1, tzinfo=UTC))
    house.refresh(datetime(2024, 3, 4, tzinfo=UTC), {date(2024, 2, 20): 1.02})
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

import emp
from adapters.settings import Settings
from emp.features import FeatureFrame
from market_data.calendars import bar_starts
from market_data.features.registry import bar_groups
from market_data.pipeline.feature_context import make_confluence
from market_data.pipeline.features import make_features
from market_data.ports import BarStore
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import walk
from tests.support.operations_file import give_operations
from tests.support.worlds import FileVendor, World

SYMBOL = "COIN"
FIRST = {Timeframe.D1: date(2023, 12, 1), Timeframe.H1: date(2024, 1, 25)}
END = date(2024, 3, 31)
FEATURES_FROM = date(2024, 1, 30)
EPOCH = datetime(2024, 3, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def installation(folder: Path) -> Settings:
    """The shipped configuration, without the decades before the coin's first bar."""
    config = Path(shutil.copytree(Settings(data_dir=folder).config_dir, folder / "config"))
    universe = config / "universe.yaml"
    text = universe.read_text(encoding="utf-8")
    cut = re.sub(r"(?m)^first_session: .*$", "first_session: 2023-12-01", text)
    assert cut != text
    universe.write_text(cut, encoding="utf-8")
    settings = Settings(data_dir=folder / "data", config_dir=config)
    give_operations(settings)
    return settings


class RestatedHouse:
    """One coin of one vendor that tells files, at the timeframes that are wanted.

    Args:
        folder: where everything lies.
        timeframes: of the bars.
        store: keeps bars and features; the lake's own where None.
    """

    def __init__(
        self,
        folder: Path,
        timeframes: tuple[Timeframe, ...] = (Timeframe.D1,),
        store: BarStore | None = None,
    ) -> None:
        self._folder, self.timeframes = folder, timeframes
        coin = Instrument(symbol=SYMBOL, asset_class=AssetClass.CRYPTO, calendar="24/7")
        names = {Timeframe.D1: "plain_daily", Timeframe.H1: "plain_1h"}
        feeds = {str(t): (names[t], folder / f"{t}.csv") for t in timeframes}
        self.factors: dict[date, float] = {}
        self.world = World(installation(folder), EPOCH, store).register(
            FileVendor("mine", feeds, (SYMBOL,)), instruments=(coin,)
        )

    @cached_property
    def _prices(self) -> dict[Timeframe, pl.DataFrame]:
        found = {}
        for number, timeframe in enumerate(self.timeframes):
            grid = bar_starts("24/7", timeframe, FIRST[timeframe], END)
            high, low, close = walk(3 + number, grid.height, step=0.004)
            found[timeframe] = grid.with_columns(
                open=pl.Series(close), high=pl.Series(high), low=pl.Series(low),
                close=pl.Series(close), volume=pl.int_range(pl.len()) % 17 + 10.0,
            )  # fmt: skip
        return found

    def refresh(
        self,
        now: datetime,
        restated: Mapping[date, float] | None = None,
        *,
        running: bool = False,
        trades: int | None = None,
    ) -> None:
        """Take in what the vendor says: bars that are over, some sessions times a factor.

        Args:
            now: when.
            restated: factors by session; they stay until they are told anew.
            running: also bars that are not over yet.
            trades: the vendor counts so many in each bar, and no longer says nothing of them.
        """
        self.factors |= dict(restated or {})
        self.world = self.world.later(now)
        last = (now - timedelta(microseconds=1)).date()
        for timeframe in self.timeframes:
            limit = "ts" if running else "bar_end"
            told = self._prices[timeframe].filter(pl.col(limit) <= now)
            factor = pl.col("session").replace_strict(
                self.factors, default=1.0, return_dtype=pl.Float64
            )
            prices = pl.col("open", "high", "low", "close") * factor
            text = told.select(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), prices, "volume")
            if not timeframe.is_intraday:
                text = text.rename({"ts": "date"}).with_columns(date=told["session"])
            if trades is not None:
                text = text.with_columns(trades=trades)
            text.write_csv(self._folder / f"{timeframe}.csv")
            span = FIRST[timeframe], last
            self.world.load("mine", str(timeframe), SYMBOL, *span, refetch=True)
            self.world.curate(str(timeframe), SYMBOL, *span)
            platform = self.world.platform
            make_features(platform, bar_groups(timeframe), [SYMBOL], FEATURES_FROM, last)
        if len(self.timeframes) > 1:
            make_confluence(self.world.platform, [SYMBOL], FEATURES_FROM, last)

    def train(self, first: date, last: date, timeframe: str = "1d", **how: object) -> FeatureFrame:
        """A training frame of the house as it stands."""
        return emp.get_features_for_training(
            SYMBOL, first, last, timeframe,
            settings=self.world.settings,
            **how,  # type: ignore[arg-type]
        )  # fmt: skip
