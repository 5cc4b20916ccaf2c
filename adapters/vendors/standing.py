"""Whether a configured vendor can be asked at all, and if not, which setting it lacks.

What belongs here: per reader, what has to be set. Asking loads no reader.
What does not: whether the vendor answers (its adapter).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from adapters.variables import read
from adapters.vendors.settings import (
    AlphaVantageSettings,
    FredSettings,
    OandaSettings,
    TwsSettings,
)


def _alpha_vantage() -> str:
    return "" if read(AlphaVantageSettings).api_key else "ALPHA_VANTAGE_API_KEY"


def _fred() -> str:
    return "" if read(FredSettings).api_key else "FRED_API_KEY"


def _oanda() -> str:
    return "" if read(OandaSettings).api_token else "OANDA_API_TOKEN"


def _tws() -> str:
    return "" if read(TwsSettings).host else "TWS_HOST"


_LACKS: dict[str, Callable[[], str]] = {
    "alpha_vantage": _alpha_vantage,
    "fred": _fred,
    "oanda": _oanda,
    "tws": _tws,
}


_PACKAGES = {"tws": ("ib_async", "tws")}
"""Reader to the package that it needs, and the extra that brings it."""


def why_off(reader: str) -> str:
    """Why vendors of a reader are off, in a sentence; empty where they are on.

    Raises:
        ConfigurationError: a setting of the reader is wrong.
    """
    variable = _LACKS[reader]() if reader in _LACKS else ""
    if variable:
        return f"{variable} is not set"
    package, extra = _PACKAGES.get(reader, ("", ""))
    if package and find_spec(package) is None:
        return f"the package {package} is not installed: pip install 'emp[{extra}]'"
    return ""
