"""The section of readiness on the recovery of stale symbols.

What belongs here: the verdict on the newest report of a look. What does not: the look
(market_data/pipeline/recovery.py).
"""

from __future__ import annotations

from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section
from market_data.ports import Report
from market_data.wording import few

NAME = "stale_symbols"
REPORT = "ingest_recovery"
"""What a look at stale symbols keeps."""
_NAMED = 5


def evaluate_stale_symbols(report: Report | None) -> Section:
    """How it stands with stale symbols; off where nothing ever was stale.

    Args:
        report: the newest one of the name REPORT; None where there is none.
    """
    if report is None:
        return Section.switched_off(NAME, "no symbol was ever stale, or nobody looks")
    body = report.body
    given_up = [name.replace("|", " ") for name in body["given_up"]]
    facts = {
        "looked": f"{report.at:%Y-%m-%d %H:%M}",
        "stale": len(body["stale"]),
        "launched": body["launched"],
        "mended": len(body["mended"]),
    }
    reasons = []
    if given_up:
        text = f"{few(given_up, _NAMED)} stay stale though they were asked for again"
        reasons.append(Reason(Grade.FAIL, f"{text}: see docs/runbooks/stale-data.md"))
    elif body["stale"]:
        reasons.append(
            Reason(Grade.WARN, f"{len(body['stale'])} stale symbols are asked for again")
        )
    return Section.of(NAME, reasons, facts)
