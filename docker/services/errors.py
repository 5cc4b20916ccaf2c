"""The error of this tool.

What belongs here: what callers catch. What does not: bugs, which stay what they are.
"""

from __future__ import annotations


class ServiceError(RuntimeError):
    """A server cannot be installed, started or stopped here; the message says what to do."""
