"""Typed errors of the domain and of every vendor.

What belongs here: one class per kind of trouble that a caller may treat in its own way.
What does not: messages; they are written where the error is raised, and name the cure.
"""

from __future__ import annotations


class MarketDataError(Exception):
    """Any error that this platform raises on purpose."""


class ConfigurationError(MarketDataError):
    """A setting or a configuration file is missing or wrong; the message says which and how."""


class UnknownActionsWarning(UserWarning):
    """Adjusted prices were asked for where not all corporate actions may be known."""


class WithheldBarsWarning(UserWarning):
    """A read left out bars that are stored and in error."""


class UnjudgedBarsWarning(UserWarning):
    """A read served bars for which nobody has looked for flags: nobody has scored them."""


class MissingFeaturesWarning(UserWarning):
    """Bars of a range that was read have no features."""


class StoreAwayWarning(UserWarning):
    """The warehouse is away: what was read was made anew from the lake, or lacks a part."""


class BootstrapModeWarning(UserWarning):
    """EMP_MODE=auto came to bootstrap mode, since institutional mode lacks settings."""


class NoVersionsWarning(UserWarning):
    """Datasets were left alone whose engine keeps no versions."""


class SchemaError(MarketDataError):
    """A frame or an answer has not the shape it was promised to have."""


class UnsupportedOperationError(MarketDataError):
    """The engine behind a port has no such operation."""


class DatasetMissingError(MarketDataError):
    """Nothing was ever written to the dataset."""


class TableDamagedError(MarketDataError):
    """A table names a file that is gone or cannot be read; the message says which, and the cure."""


class VersionGoneError(MarketDataError):
    """A former version of a table is not there any more, or never was."""


class StoreConflictError(MarketDataError):
    """A concurrent writer won every one of the allowed attempts."""


class SliceChangedError(StoreConflictError):
    """A slice is no longer what the caller of a conditional replace saw; nothing was written."""


class SessionConflictError(SchemaError):
    """A bar is stored in another session already; nothing was written."""


class StoreUnavailableError(MarketDataError):
    """The server behind a store did not answer, or not in time; nothing was written."""


class StorageError(MarketDataError):
    """A disk takes no more: it is full, can only be read, or fails; what was stored is whole."""


class StreamError(MarketDataError):
    """The message broker did not take or give what it was asked; nothing was lost by that."""


class CopyRefusedError(MarketDataError):
    """The target of a copy holds rows of its own; nothing of it was touched."""


class CopyMismatchError(MarketDataError):
    """What the target of a copy tells is not what the source tells."""


class VendorError(MarketDataError):
    """A vendor did not answer with data.

    Attributes:
        outcome: what the ledger records for it.
        kind: what the journal records: which kind of trouble it is, in a word or two.
        retryable: whether the same question may fare better soon.
    """

    outcome = "failed"
    kind = "refused question"
    retryable = False

    def __init__(self, message: str, *, symbol: str | None = None) -> None:
        super().__init__(message)
        self.symbol = symbol


class RateLimitedError(VendorError):
    """Too many requests: ask again later.

    Attributes:
        retry_after: seconds until then, where that is known.
    """

    outcome = "refused"
    kind = "rate limited"
    retryable = True

    def __init__(
        self, message: str, *, symbol: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, symbol=symbol)
        self.retry_after = retry_after


class UnauthorisedError(VendorError):
    """The key is missing, wrong, or not entitled to this data."""

    outcome = "refused"
    kind = "unauthorised"


class UnknownSymbolError(VendorError):
    """The vendor does not know the symbol.

    A failure, not an absence of bars: a name is mistyped, or a ticker has changed.
    """

    kind = "unknown symbol"


class OutOfRangeError(VendorError):
    """The vendor can never serve this range, whenever it is asked."""

    outcome = "unavailable"
    kind = "out of range"


class MalformedAnswerError(VendorError):
    """The answer is not what the vendor promises: half a body, HTML, a missing column."""

    outcome = "failed"
    kind = "malformed answer"
    retryable = True


class VendorUnavailableError(VendorError):
    """No answer: the network, a time-out, a server error."""

    outcome = "failed"
    kind = "unavailable"
    retryable = True


class UnreachableError(VendorUnavailableError):
    """No connection at all, or a vendor that is left alone: no other symbol would fare better."""

    kind = "unreachable"


class BudgetSpentError(RateLimitedError):
    """Our own allowance is used up for longer than a request waits; the vendor was not asked."""

    kind = "budget spent"

    retryable = False


class LeftAloneError(UnreachableError):
    """The vendor failed too often of late; it was not asked."""

    kind = "left alone"

    retryable = False
