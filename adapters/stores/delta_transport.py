"""Whether an error of a Delta table speaks of the way to an object store, not of the table.

What belongs here: telling the two apart. What does not: what a store says to our own requests
(objects.py), damage (delta_damage.py).

Most failed requests are an OSError. Some are told by the part that reads the log as an error of the
table, with the words of the client inside: a log that could not be fetched is not one that is
spoilt, and nothing is to be mended.
"""

from __future__ import annotations

import re

_REQUEST = re.compile(
    r"error performing (get|head|list|put|post|delete)"
    r"|generic \w+ error"
    r"|error sending request|error decoding response body|request or response body error"
    r"|server error|client error|error after \d+ retries|max_retries"
    r"|timed? ?out|connection (reset|closed|refused|aborted|error)|broken pipe|dns error"
    r"|incomplete message|service ?unavailable|slow ?down|too many requests"
    r"|permission ?denied|access ?denied|unauthenticated|forbidden|expired ?token",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"nosuchkey|not found|404", re.IGNORECASE)
"""An object that is not there is evidence about the table."""


def is_transport(error: BaseException) -> bool:
    """Whether a request to the store failed, by the words of the error and of what caused it.

    Args:
        error: of the client for Delta tables.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        told = str(cause)
        if isinstance(cause, TimeoutError | ConnectionError):
            return True
        if _REQUEST.search(told) and not _ABSENT.search(told):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
