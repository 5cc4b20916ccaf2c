"""Whether the server answers now, for whoever would otherwise begin what it takes no part of.

What belongs here: a look on a connection that the process keeps. What does not: what follows from
looks in a row (market_data/failover), one look (watch.py).
"""

from __future__ import annotations

from adapters.clock import SystemClock
from adapters.kept_open import KeptOpen
from adapters.timescale.settings import TimescaleSettings
from adapters.timescale.watch import StoreWatch
from market_data.errors import ConfigurationError

_WATCHES: KeptOpen[StoreWatch] = KeptOpen(lambda watch: watch.close())


def why_away(settings: TimescaleSettings) -> str:
    """Why the server does not answer; empty where it does, or answers and refuses.

    Who is refused is told so by what he does next, and does not wait for anything.

    Args:
        settings: where it is.
    """
    watch = _WATCHES.find(settings) or _WATCHES.keep(settings, StoreWatch(settings))
    try:
        return watch.look(SystemClock().now()).reason
    except ConfigurationError:
        return ""
