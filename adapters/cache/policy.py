"""How long and how much a cache keeps: every REDIS_CACHE_* variable.

What belongs here: the strategies and the limits that follow. What does not: caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_MIB = 1 << 20


@dataclass(frozen=True)
class CachePolicy:
    """Limits of a cache.

    Attributes:
        ttl_seconds: how long an entry stays.
        max_keys: most entries; 0 keeps nothing.
        max_bytes: most bytes of all entries together.
        namespace: what its keys begin with.
        invalidate_prefixes: further prefixes that every write makes useless.
    """

    ttl_seconds: float
    max_keys: int
    max_bytes: int
    namespace: str
    invalidate_prefixes: tuple[str, ...] = ()


BOOTSTRAP = CachePolicy(1_800, 256, 256 * _MIB, "emp:bootstrap")
_STRATEGIES = {
    "institutional": CachePolicy(900, 1_024, 1_024 * _MIB, "emp:cache"),
    "bootstrap": BOOTSTRAP,
    "aggressive": CachePolicy(120, 512, 512 * _MIB, "emp:cache"),
    "extended": CachePolicy(43_200, 4_096, 4_096 * _MIB, "emp:cache"),
    "disabled": CachePolicy(900, 0, 0, "emp:cache"),
}


class RedisCacheSettings(BaseSettings):
    """What the cache in Redis keeps.

    Each field is read from the environment variable REDIS_CACHE_<FIELD>.
    """

    model_config = SettingsConfigDict(
        title="REDIS_CACHE_*",
        env_prefix="REDIS_CACHE_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    strategy: Literal["institutional", "bootstrap", "aggressive", "extended", "disabled"] = (
        "institutional"
    )
    """institutional: 15 minutes, 1,024 keys. bootstrap: 30 minutes, 256. aggressive: 2 minutes,
    512. extended: 12 hours, 4,096. disabled: keeps nothing."""

    ttl_seconds: float | None = Field(default=None, gt=0)
    """Seconds that an entry stays; empty: the strategy's."""

    max_keys: int | None = Field(default=None, ge=0)
    """Most entries; empty: the strategy's."""

    max_bytes: int | None = Field(default=None, ge=0)
    """Most bytes of all entries together; empty: 1 MiB for each of the strategy's keys."""

    namespace: str = ""
    """What keys in Redis begin with; empty: the strategy's."""

    invalidate_prefixes: Annotated[tuple[str, ...], NoDecode] = ()
    """Further prefixes of keys, comma-separated, that every write makes useless."""

    @field_validator("invalidate_prefixes", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("strategy", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    def policy(self) -> CachePolicy:
        """The strategy with what the variables say otherwise."""
        base = _STRATEGIES[self.strategy]
        return CachePolicy(
            self.ttl_seconds or base.ttl_seconds,
            base.max_keys if self.max_keys is None else self.max_keys,
            base.max_bytes if self.max_bytes is None else self.max_bytes,
            self.namespace or base.namespace,
            self.invalidate_prefixes,
        )
