"""A process that sends alerts until somebody kills it: python -m tests.support.alert_process URL.

The webhook is that of the variable ALERT_URL, the operations database that of the argument.
"""

from __future__ import annotations

import sys
import time

from adapters.alerts.sender import AlertSender
from adapters.clock import SystemClock
from adapters.operations import SqlAlerts, open_database
from tests.support.alert_rows import rules


def main() -> None:
    """Send what waits, again and again."""
    store = SqlAlerts(open_database(sys.argv[1]))
    hook = rules({"name": "hook", "type": "webhook", "url_env": "ALERT_URL", "timeout": "30s"})
    sender = AlertSender(store.outbox, hook, SystemClock())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        sender.drain()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
