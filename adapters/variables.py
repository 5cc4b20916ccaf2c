"""The variables that settings classes read: by which names, with which defaults, what went wrong.

What belongs here: turning any settings class into its table of variables, and a wrong environment
into problems that each name a variable and the cure.
What does not: the settings themselves; each class lies with its adapter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from market_data.errors import ConfigurationError

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True)
class Variable:
    """One setting as a person sets it.

    Attributes:
        names: of the variable, the one that goes first at the front.
        default: in the form in which it would be written; empty for none.
        meaning: what it does.
        secret: its value is never shown.
    """

    names: tuple[str, ...]
    default: str
    meaning: str
    secret: bool


@dataclass(frozen=True)
class Problem:
    """A variable that is missing or wrong, and the cure; never its value."""

    variable: str
    cure: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.cure}"


def variables_of(settings: type[BaseSettings]) -> Iterator[Variable]:
    """The variables that a settings class reads, in the order of its fields."""
    for name, field in settings.model_fields.items():
        yield Variable(
            names=_names(settings, name, field),
            default=_written(field.get_default(call_default_factory=True, validated_data={})),
            meaning=" ".join((field.description or "").split()),
            secret="Secret" in str(field.annotation),
        )


def read(settings: type[S], **given: Any) -> S:
    """Settings from the environment.

    Raises:
        ConfigurationError: naming every variable that is missing or has a wrong value.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        # Not chained: the text of the error repeats the values, and with them secrets.
        raise ConfigurationError("; ".join(map(str, problems_of(settings, error)))) from None


def problems_of(settings: type[BaseSettings], error: ValidationError) -> list[Problem]:
    """What a settings class said against its variables."""
    return [
        Problem(_variable(settings, e["loc"]), e["msg"].removeprefix("Value error, "))
        for e in error.errors(include_input=False, include_context=False, include_url=False)
    ]


def _variable(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    """The variable that an error is about; the class's own name for errors about several."""
    if not location:
        return str(settings.model_config.get("title") or settings.__name__)
    name = str(location[0])
    field = settings.model_fields.get(name)
    return _names(settings, name, field)[0] if field is not None else name.upper()


def _names(settings: type[BaseSettings], name: str, field: FieldInfo) -> tuple[str, ...]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice).upper() for choice in alias.choices)
    if isinstance(alias, str):
        return (alias.upper(),)
    return (f"{settings.model_config.get('env_prefix', '')}{name}".upper(),)


def _written(value: object) -> str:
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | set | frozenset):
        return ",".join(map(str, value))
    return str(value)
