"""The variables that settings classes read: by which names, with which defaults, what went wrong.

What belongs here: turning any settings class into its table of variables, and a wrong environment
into problems that each name a variable and the cure.
What does not: the settings themselves; each class lies with its adapter.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

from pydantic import AliasChoices, BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

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
        # A sentence that says itself what it is about is not told twice.
        named = self.cure.startswith(self.variable)
        return self.cure if named else f"{self.variable}: {self.cure}"


@dataclass(frozen=True)
class Reading(Generic[S]):
    """What the environment says to a settings class.

    Attributes:
        kind: the class.
        settings: None where anything is wrong.
        problems: every one.
        wrong: names of the variables that they are about.
    """

    kind: type[S]
    settings: S | None
    problems: tuple[Problem, ...] = ()
    wrong: frozenset[str] = frozenset()

    def of(self, *names: str) -> S:
        """The settings, or else what only these variables say, as far as they are right."""
        if self.settings is not None:
            return self.settings
        others = {name for group in _groups(self.kind) for name in group} - set(names)
        return _read_without(self.kind, others | self.wrong)

    def nothing_against(self, *names: str) -> bool:
        """Whether none of these variables is wrong."""
        return self.wrong.isdisjoint(names)


def variables_of(settings: type[BaseSettings]) -> Iterator[Variable]:
    """The variables that a settings class reads, in the order of its fields."""
    meanings = meanings_of(settings)
    for name, field in settings.model_fields.items():
        yield Variable(
            names=_names(settings, name, field),
            default=_written(field.get_default(call_default_factory=True, validated_data={})),
            meaning=meanings.get(name, ""),
            secret="Secret" in str(field.annotation),
        )


def meanings_of(settings: type[BaseModel]) -> dict[str, str]:
    """What the source says below each field, in one line.

    Pydantic would read the source as well, of every class and in every process that starts.
    """
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if not issubclass(kind, BaseModel) or kind in (BaseModel, BaseSettings):
            continue
        source = ast.parse(textwrap.dedent(inspect.getsource(kind)))
        body = [line for own in source.body if isinstance(own, ast.ClassDef) for line in own.body]
        for field, text in pairwise(body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(said))),
                ):
                    found[name] = " ".join(said.split())
    return found


def read(settings: type[S], **given: Any) -> S:
    """Settings from the environment.

    Raises:
        ConfigurationError: naming every variable that is missing or has a wrong value.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        problems = problems_of(settings, error) if given else read_all(settings).problems
        # Not chained: the text of the error repeats the values, and with them secrets.
        raise ConfigurationError("; ".join(map(str, problems))) from None


def read_all(kind: type[S]) -> Reading[S]:
    """What the environment says to a settings class, with everything that is wrong in it.

    A class tells of rules that concern several variables only when each by itself is right. So it
    is read again without the wrong ones, until it has nothing new to say.
    """
    found: list[Problem] = []
    wrong: set[str] = set()
    while True:
        try:
            settings = _read_without(kind, wrong)
        except ValidationError as error:
            # That a variable lacks which was left out is no news.
            news = [p for p in problems_of(kind, error) if wrong.isdisjoint(_named(kind, p))]
        else:
            return Reading(kind, None if found else settings, tuple(found), frozenset(wrong))
        found += [problem for problem in news if problem not in found]
        named = {name for problem in news for name in _named(kind, problem)}
        if not named:
            return Reading(kind, None, tuple(found), frozenset(wrong))
        wrong |= named


def problems_of(kind: type[BaseSettings], error: ValidationError) -> list[Problem]:
    """What a settings class said against its variables."""
    problems = []
    for e in error.errors(include_input=False, include_context=False, include_url=False):
        told = e["msg"].removeprefix("Value error, ")
        if e["loc"]:
            problems.append(Problem(_variable(kind, str(e["loc"][0])), told))
        else:
            problems += [_of_several(kind, sentence) for sentence in told.split("; ")]
    return problems


def _read_without(kind: type[S], names: Collection[str]) -> S:
    """Settings from the environment as if some variables were not set."""
    source = EnvSettingsSource(kind)
    source.env_vars = {k: v for k, v in source.env_vars.items() if k.upper() not in names}
    settings = kind.__new__(kind)
    # The class's own way to make itself would read the whole environment again.
    BaseModel.__init__(settings, **source())
    return settings


def _variable(kind: type[BaseSettings], name: str) -> str:
    """The variable of a field, by the name that goes first."""
    field = kind.model_fields.get(name)
    return _names(kind, name, field)[0] if field is not None else name.upper()


def _of_several(kind: type[BaseSettings], sentence: str) -> Problem:
    """A sentence of a whole class: about the variable that it names first, else about the class."""
    name = next(iter(_mentioned(kind, sentence)), None)
    if name is None:
        return Problem(str(kind.model_config.get("title") or kind.__name__), sentence)
    return Problem(name, sentence.removeprefix(f"{name}: "))


def _mentioned(kind: type[BaseSettings], text: str) -> list[str]:
    known = {name for group in _groups(kind) for name in group}
    return [word for word in re.findall(r"[A-Z][A-Z0-9_]+", text) if word in known]


def _named(kind: type[BaseSettings], problem: Problem) -> set[str]:
    """Every variable that a problem is about, by all of its names."""
    mentioned = set(_mentioned(kind, str(problem)))
    return {name for group in _groups(kind) if mentioned & set(group) for name in group}


def _groups(kind: type[BaseSettings]) -> Iterator[tuple[str, ...]]:
    """The names of each variable."""
    for name, field in kind.model_fields.items():
        yield _names(kind, name, field)


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
