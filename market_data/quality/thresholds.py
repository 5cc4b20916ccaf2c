"""The limits of every check: the parsed form of config/quality.yaml.

What belongs here: the records, their validation, and how a rule for one asset class and timeframe
is put together. What does not: the limits themselves (config/quality.yaml), reading the file
(adapters/configuration.py), applying a limit (the validators beside this module).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    """Read '15m', '2h', '1d'; anything else is left to pydantic to refuse."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value)):
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError("must be a number with a unit s, m, h or d, such as 15m or 2d")


_Section = TypeVar("_Section", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]


class Rules(BaseModel):
    """The limits for one asset class and timeframe.

    Attributes:
        price_min: lowest price that a bar may hold, in the instrument's currency.
        price_max: highest one.
        coverage_warn: share of the expected bars below which coverage warns.
        coverage_error: share below which it is an error.
        drift_warn: relative drift between vendors above which drift warns; half of drift_error
            where the configuration gives none.
        drift_error: drift above which it is an error.
        drift_statistic: how a session's drift follows from its bars'.
        stale_warn: lag of the newest bar's end behind the session's close (or behind now, while
            it runs) above which staleness warns.
        stale_error: lag above which it is an error; twice stale_warn where none is given.
        reject_warn_share: share of invalid rows above which ohlc warns.
        reject_error_share: share above which it is an error.
        block_share: share of a run's symbol-sessions in error above which the run blocks.
        flat_run_bars: bars in a row with one close from which on they are flagged.
        jump: absolute return between two bars above which it is flagged.
        false_tick_profile: the rule for false ticks, see false_ticks.py.
        false_tick_z: robust standard deviations of the jump back from which on a jump may be false.
        false_tick_move: smallest relative jump that may be false.
        false_tick_revert: share of the larger one that the smaller of both jumps has to be.
        false_tick_bars: so many bars in a row may be false.
        wick_z: usual ranges of a bar from which on an open, high or low may be wrong, see wicks.py.
        wick_move: smallest relative distance from the prices around it at which it may be.
        volume_shift: a session's volume this many times the usual one, or its inverse, is flagged.
        consistency: relative difference of a daily bar from the bars within its day.
        chain_tolerance: relative difference of an adjusted close from what actions make of it.
        split_tolerance: relative distance of an opening or close from a split's ratio to the
            close before, up to which it looks like that split.
        split_same_day: the same, that neither of the two may exceed.
        split_volume: a split's first day trades at most this many times the volume that it alone
            would explain, or its inverse.
        score_warn: score below which a symbol-session is YELLOW.
        score_error: score below which it is RED.
        score_shift: fall of the mean score against the sessions before that is a warning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    price_min: Positive
    price_max: Positive
    coverage_warn: Share
    coverage_error: Share
    drift_warn: Positive
    drift_error: Positive
    drift_statistic: Literal["max", "median"]
    stale_warn: Duration
    stale_error: Duration
    reject_warn_share: Share
    reject_error_share: Share
    block_share: Share
    flat_run_bars: Annotated[int, Field(ge=2)]
    jump: Positive
    false_tick_profile: Literal["reverting", "documents"]
    false_tick_z: Positive
    false_tick_move: Positive
    false_tick_revert: Share
    false_tick_bars: Annotated[int, Field(ge=1)]
    wick_z: Positive
    wick_move: Positive
    volume_shift: Annotated[float, Field(gt=1)]
    consistency: Positive
    chain_tolerance: Positive
    split_tolerance: Positive
    split_same_day: Positive
    split_volume: Annotated[float, Field(gt=1)]
    score_warn: Share
    score_error: Share
    score_shift: Share

    @model_validator(mode="after")
    def _ordered(self) -> Rules:
        pairs = (
            ("price_min", "price_max"),
            ("coverage_error", "coverage_warn"),
            ("drift_warn", "drift_error"),
            ("stale_warn", "stale_error"),
            ("reject_warn_share", "reject_error_share"),
            ("score_error", "score_warn"),
        )
        for lower, upper in pairs:
            if getattr(self, lower) > getattr(self, upper):
                raise ValueError(f"{lower} must not be above {upper}")
        return self


class MacroRules(BaseModel):
    """The limits of macro datasets, whose events have neither asset class nor timeframe.

    Attributes:
        block_share: share of RED events above which a dataset is RED.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_share: Share = 0.5


class QuarantineRules(BaseModel):
    """The limits of the log of refused rows.

    Attributes:
        refused_shift: rise of the share of a session's rows that are refused, above that of the
            sessions before it, that is a warning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    refused_shift: Share = 0.05


class Thresholds:
    """The rules of every asset class and timeframe, of macro datasets and of refused rows.

    Built by `parse`; two configurations that lead to the same limits of bars have the same
    `version`: nothing that is kept is made by the others.

    Attributes:
        macro: the limits of macro datasets.
        quarantine: the limits of the log of refused rows.
        version: names the limits of bars.
    """

    def __init__(
        self,
        rules: Mapping[tuple[AssetClass, Timeframe], Rules],
        macro: MacroRules | None = None,
        quarantine: QuarantineRules | None = None,
    ) -> None:
        self._rules = dict(rules)
        self.macro = macro or MacroRules()
        self.quarantine = quarantine or QuarantineRules()
        self.version = _digest(self._rules)

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Thresholds:
        """Read the mapping of config/quality.yaml.

        Its key `rules` maps 'default', 'default/<timeframe>', '<asset class>' and
        '<asset class>/<timeframe>' to limits; each later one of these goes before the earlier. Its
        keys `macro` and `quarantine` hold the limits of macro datasets and of refused rows; what
        they leave out has the default.

        Raises:
            ConfigurationError: a key that does not exist, or a value that is missing, of the
                wrong type or out of its range; the message names the key.
        """
        extra = sorted(set(mapping) - {"rules", "macro", "quarantine"})
        if extra:
            raise ConfigurationError(
                f"quality: unknown key {extra[0]!r}; there are 'rules', 'macro' and 'quarantine'"
            )
        layers = mapping.get("rules")
        if not isinstance(layers, Mapping):
            raise ConfigurationError("quality: 'rules' must map asset classes to their limits")
        _refuse_unknown(layers)
        rules = {(c, t): _rules(layers, c, t) for c in AssetClass for t in Timeframe}
        return cls(
            rules,
            _section(MacroRules, "macro", mapping),
            _section(QuarantineRules, "quarantine", mapping),
        )

    def rule(self, asset_class: AssetClass | str, timeframe: Timeframe | str) -> Rules:
        """The limits for an asset class and a timeframe."""
        return self._rules[AssetClass(asset_class), Timeframe(timeframe)]


def _section(model: type[_Section], name: str, mapping: Mapping[str, Any]) -> _Section:
    try:
        return model.model_validate(mapping.get(name, {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([name, *(str(part) for part in first["loc"])])
        raise ConfigurationError(f"quality: {place}: {first['msg']}") from error


def _refuse_unknown(layers: Mapping[str, Any]) -> None:
    names = {"default", *AssetClass}
    known = {*names, *(f"{name}/{timeframe}" for name in names for timeframe in Timeframe)}
    for layer, limits in layers.items():
        if layer not in known:
            raise ConfigurationError(
                f"quality: rules.{layer}: not an asset class or '<asset class>/<timeframe>'"
            )
        if not isinstance(limits, Mapping):
            raise ConfigurationError(f"quality: rules.{layer}: must map limits to values")
        for key in limits:
            if key not in Rules.model_fields:
                known_keys = ", ".join(Rules.model_fields)
                raise ConfigurationError(
                    f"quality: rules.{layer}.{key}: no such limit; there are: {known_keys}"
                )


def _rules(layers: Mapping[str, Any], asset_class: AssetClass, timeframe: Timeframe) -> Rules:
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for layer in ("default", f"default/{timeframe}", asset_class, f"{asset_class}/{timeframe}"):
        limits = layers.get(str(layer), {})
        merged |= _with_derived(limits)
        origin |= dict.fromkeys(limits, str(layer))
    try:
        return Rules.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        layer = origin.get(key, f"{asset_class}/{timeframe}")
        place = f"rules.{layer}.{key}" if key else f"rules.{layer}"
        raise ConfigurationError(f"quality: {place}: {first['msg']}") from error


def _with_derived(limits: Mapping[str, Any]) -> dict[str, Any]:
    """A layer that sets one limit of a pair must not inherit a counterpart meant for another."""
    derived = dict(limits)
    error = limits.get("drift_error")
    if "drift_warn" not in limits and isinstance(error, int | float):
        derived["drift_warn"] = error / 2
    if "stale_error" not in limits and "stale_warn" in limits:
        try:
            lag = _duration(limits["stale_warn"])
        except ValueError:
            return derived
        if isinstance(lag, timedelta):
            derived["stale_error"] = lag * 2
    return derived


def _digest(rules: Mapping[tuple[AssetClass, Timeframe], Rules]) -> str:
    content = {
        f"{asset_class}/{timeframe}": rule.model_dump(mode="json")
        for (asset_class, timeframe), rule in rules.items()
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
