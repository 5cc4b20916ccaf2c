"""Parts of the graph that a process has made before are taken again only for what is the same."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from adapters.configuration import load_universe
from adapters.settings import PROJECT, Settings
from adapters.vendors.table import VendorTable, load_vendor_table
from emp_assets.graph import all_assets, all_checks
from emp_assets.naming import raw_key
from market_data.timeframes import Timeframe
from market_data.universe import Universe

BARS = dg.AssetKey(["curated", "bars_1d"])


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Universe, VendorTable]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), config_dir=PROJECT / "config")
    return load_universe(settings), load_vendor_table(settings)


def with_daily(universe: Universe, **changes: Any) -> tuple[Universe, str]:
    """The universe with another vendor in the place of the first that has daily bars."""
    old = universe.vendors_of(Timeframe.D1)[0]
    new = old.model_copy(update=changes)
    vendors = tuple(new if v is old else v for v in universe.vendors)
    return universe.model_copy(update={"vendors": vendors}), new.name


def asset(found: list[dg.AssetsDefinition], key: dg.AssetKey) -> dg.AssetsDefinition:
    (one,) = [a for a in found if key in a.keys]
    return one


def test_nothing_is_made_twice(shipped: tuple[Universe, VendorTable]) -> None:
    universe, terms = shipped
    first, again = all_assets(universe, terms), all_assets(universe.model_copy(deep=True), terms)
    # But for the inventory, which is of all of them.
    assert [a is b for a, b in zip(first, again, strict=True)].count(False) == 1
    checks = zip(all_checks(universe), all_checks(universe.model_copy(deep=True)), strict=True)
    assert all(a is b for a, b in checks)


def test_another_beginning_is_in_every_asset_and_check(
    shipped: tuple[Universe, VendorTable],
) -> None:
    universe, terms = shipped
    all_assets(universe, terms), all_checks(universe)
    later = universe.model_copy(update={"first_session": date(2011, 5, 3)})
    made = all_assets(later, terms)
    begins = {a.partitions_def.start for a in made if a.partitions_def is not None}
    specs = [spec for checks in all_checks(later) for spec in checks.check_specs]
    begins |= {s.partitions_def.start for s in specs if s.partitions_def is not None}
    assert {b.date() for b in begins} == {date(2011, 5, 3)}


def test_another_vendor_has_assets_of_its_own(shipped: tuple[Universe, VendorTable]) -> None:
    universe, terms = shipped
    before = asset(all_assets(universe, terms), BARS)
    changed, name = with_daily(universe, name="another")
    made, key = all_assets(changed, terms), raw_key("another", Timeframe.D1)
    assert asset(made, key).op.pool != ""
    assert key in asset(made, BARS).asset_deps[BARS]
    assert key not in before.asset_deps[BARS]
    assert key in {s.asset_key for c in all_checks(changed) for s in c.check_specs}
    assert name == "another"


def test_another_reader_and_other_terms_are_told(shipped: tuple[Universe, VendorTable]) -> None:
    universe, terms = shipped
    all_assets(universe, terms)
    changed, name = with_daily(universe, reader="files")
    key = raw_key(name, Timeframe.D1)
    assert "(files reader)" in asset(all_assets(changed, terms), key).descriptions_by_key[key]
    entries = tuple(e.model_copy(update={"cost": "a fortune"}) for e in terms.vendors)
    dearer = all_assets(universe, VendorTable(vendors=entries))
    named = [v for v in universe.vendors if terms.of(v.name, v.reader) is not None]
    key = raw_key(named[0].name, named[0].timeframes[0])
    assert "a fortune" in str(asset(dearer, key).metadata_by_key[key])
