"""YAML texts, by the parser in C where PyYAML was built with it: several times as fast.

What belongs here: a text to its values or to its nodes. What does not: files, and what they mean.
"""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def values(text: str) -> Any:
    """What a text says, in plain types.

    Raises:
        yaml.YAMLError: it is not YAML.
        ValueError: it holds a date that is none.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one


def nodes(text: str) -> yaml.Node | None:
    """A text's nodes, each with the place where it stands; None for an empty text.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return node
