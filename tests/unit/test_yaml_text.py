"""What a YAML text says is kept for the next who asks, and is nobody's to spoil."""

from __future__ import annotations

import pytest
import yaml

from adapters import yaml_text

TEXT = "names: [a, b]\nsince: 2024-02-13\nat: 2024-02-13T10:00:00Z\nnone: ~\nsame: &x [1]\nalso: *x"


def test_a_text_says_the_same_as_often_as_it_is_read() -> None:
    assert yaml_text.values(TEXT) == yaml_text.values(TEXT) == yaml.safe_load(TEXT)


def test_what_a_reader_changes_no_other_reader_sees() -> None:
    first = yaml_text.values(TEXT)
    first["names"].append("c")
    first["more"] = 1
    assert yaml_text.values(TEXT) == yaml.safe_load(TEXT)


@pytest.mark.parametrize(
    ("text", "error"), [("a: [", yaml.YAMLError), ("a: 2024-13-01", ValueError)]
)
def test_a_text_that_is_none_is_refused_each_time(text: str, error: type[Exception]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            yaml_text.values(text)
