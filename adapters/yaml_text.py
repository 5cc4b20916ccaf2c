"""YAML texts, by the parser in C where PyYAML was built with it: several times as fast.

What belongs here: a text to its values or to its nodes. What does not: files, and what they mean.

A process reads the same few files of the configuration again and again, since they may have been
changed: what a text says is kept and copied, which takes a twentieth of parsing it.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


KEPT_TEXTS = 32


def values(text: str) -> Any:
    """What a text says, in plain types that are the caller's to change.

    Raises:
        yaml.YAMLError: it is not YAML.
        ValueError: it holds a date that is none.
    """
    return pickle.loads(_packed(text))  # noqa: S301 - packed here


@lru_cache(maxsize=KEPT_TEXTS)
def _packed(text: str) -> bytes:
    return pickle.dumps(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a safe one


def nodes(text: str) -> yaml.Node | None:
    """A text's nodes, each with the place where it stands; None for an empty text.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return node
