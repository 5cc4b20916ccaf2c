"""Words that several messages share."""

from __future__ import annotations

import pytest

from market_data.wording import few


@pytest.mark.parametrize(
    ("names", "told"),
    [([], ""), (["A"], "A"), (["A", "B"], "A, B"), (["A", "B", "C", "D"], "A, B and 2 more")],
)
def test_a_list_of_names_is_cut_and_says_by_how_many(names: list[str], told: str):
    assert few(names, 2) == told
