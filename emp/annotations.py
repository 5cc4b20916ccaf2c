"""Decisions of people about sessions: made, listed, taken back.

What belongs here: from what a person says to an annotation that makes sense, and which curated
sessions it changes. What does not: what follows from one (market_data/quality/annotations.py),
curating again (emp/run.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from emp.preferred_sessions import sessions_held, silent_sessions
from emp.quarantine import who
from market_data.calendars import trading_sessions
from market_data.curation.imputation import parse
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError
from market_data.pipeline.decisions import decisions
from market_data.pipeline.inspected import inspected
from market_data.pipeline.macro_health import MACRO
from market_data.pipeline.outdated import Outdated, outdated, unbroken
from market_data.pipeline.platform import Platform
from market_data.ports import Annotation, Decision
from market_data.quality.annotations import split_accepted, standing
from market_data.quality.score_checks import EVERY_SYMBOL
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe

LISTED = pl.Schema(
    {
        "id": pl.Int64(),
        "state": pl.String(),
        "decision": pl.String(),
        "dataset": pl.String(),
        "symbol": pl.String(),
        "first_session": pl.Date(),
        "last_session": pl.Date(),
        "what": pl.String(),
        "author": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "reason": pl.String(),
    }
)
"""Columns of `listed`; `state` is stands, taken back, or take back; `what` names the vendor, the
codes, the imputation or the decision that is taken back."""


@dataclass(frozen=True)
class Wish:
    """What a person says.

    Attributes:
        decision: what is to be done.
        symbol: platform symbol; EVERY_SYMBOL to accept findings about no single one.
        dataset: curated/bars_1d ...; of an acceptance any dataset that is checked.
        sessions: first and last session, both included.
        reason: why.
        vendor: who is right, of `prefer_vendor`.
        codes: of the findings that are accepted; none: all that there are.
        imputation: how missing bars are made up, of `impute`.
    """

    decision: Decision
    symbol: str
    dataset: str
    sessions: tuple[date, date]
    reason: str
    vendor: str = ""
    codes: tuple[str, ...] = ()
    imputation: str = ""


@dataclass(frozen=True)
class Decided:
    """A decision before it is kept.

    Attributes:
        annotation: the decision; its id is known where it stands already.
        findings: rows of FINDINGS that it accepts.
        silent: sessions of the period of which the preferred vendor has no bars: nothing follows
            from it being right there, and their drift stays open.
    """

    annotation: Annotation
    findings: pl.DataFrame = field(default_factory=FINDINGS.empty)
    silent: tuple[date, ...] = ()


def decided(platform: Platform, wish: Wish, author: str | None = None) -> Decided:
    """The decision that a wish becomes; nothing is kept.

    Args:
        platform: where the data are.
        wish: what a person says.
        author: who decides; None: the user of this process.

    Raises:
        ConfigurationError: there is no such symbol, dataset, vendor or finding, or a reason, period
            or imputation is none.
    """
    accepts = wish.decision is Decision.ACCEPT
    # Of macro data the symbol is an event, a release or a series: the findings know it.
    if not (accepts and (wish.symbol == EVERY_SYMBOL or wish.dataset in MACRO)):
        platform.universe.instrument(wish.symbol)
    first, last = wish.sessions
    if last < first:
        raise ConfigurationError(f"the period ends ({last}) before it starts ({first})")
    if not wish.reason.strip():
        raise ConfigurationError("--reason is empty: say why")
    if wish.decision is Decision.PREFER_VENDOR and not wish.vendor:
        raise ConfigurationError("--vendor is empty: say who is right")
    if wish.decision is Decision.IMPUTE and not wish.imputation:
        raise ConfigurationError("--how is empty: say how bars are made up, for instance ffill")
    annotation = Annotation(
        created_at=platform.clock.now(),
        author=author or who(),
        dataset=wish.dataset,
        symbol=wish.symbol,
        first_session=first,
        last_session=last,
        decision=wish.decision,
        reason=wish.reason.strip(),
        vendor=wish.vendor,
        codes=tuple(sorted(wish.codes)),
        imputation=str(parse(wish.imputation)) if wish.imputation else "",
    )
    known = _standing_already(platform, annotation) or annotation
    if wish.decision is Decision.ACCEPT:
        return _accepted(platform, known)
    timeframe = timeframe_of(wish.dataset)
    if timeframe is None:
        raise ConfigurationError(
            f"{wish.dataset!r}: this decision is about curated bars; name one of "
            + ", ".join(curated_bars(t).name for t in Timeframe)
        )
    if wish.decision is Decision.PREFER_VENDOR:
        held = sessions_held(platform, known, timeframe)
        silent = silent_sessions(platform, known, held)
        return Decided(known, _concerned(platform, known, held), silent)
    return Decided(known)


def keep(platform: Platform, annotation: Annotation) -> int:
    """Keep a decision unless it stands already; its number."""
    return platform.annotations.add(annotation) if annotation.id is None else annotation.id


def taking_back(
    platform: Platform, number: int, reason: str, author: str | None = None
) -> tuple[Annotation, Annotation]:
    """The decision of a number, and the one that takes it back; nothing is kept.

    Raises:
        ConfigurationError: no such decision stands, or the reason is empty.
    """
    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why")
    stands = next((a for a in standing(platform.annotations.read()) if a.id == number), None)
    if stands is None:
        raise ConfigurationError(
            f"no decision {number} stands; 'emp annotate list' shows those that do"
        )
    back = replace(
        stands,
        id=None,
        decision=Decision.TAKE_BACK,
        takes_back=number,
        created_at=platform.clock.now(),
        author=author or who(),
        reason=reason.strip(),
        vendor="",
        codes=(),
        imputation="",
    )
    return stands, back


def to_curate(platform: Platform, decision: Annotation, found: pl.DataFrame) -> list[Outdated]:
    """The curated sessions that a decision, made or taken back, leaves to be made or judged anew.

    Sessions follow each other when the symbol's calendar has none between.

    Args:
        platform: where the data are; the decision must be kept.
        decision: of which kind it is, and what it is about.
        found: rows of FINDINGS that it accepts, or accepted.
    """
    timeframe = timeframe_of(decision.dataset)
    if timeframe is None or decision.symbol == EVERY_SYMBOL:
        return []
    span = (decision.first_session, decision.last_session)
    changed = (
        outdated(platform, decision.symbol, timeframes=[timeframe], sessions=span)
        if decision.decision is Decision.PREFER_VENDOR
        else []
    )
    judged = found["session"].unique()
    concerned = [pl.col("session").is_between(c.first, c.last) for c in changed]
    sessions = trading_sessions(platform.universe.instrument(decision.symbol).calendar, *span)
    ends = pl.Series("session", [day for c in changed for day in (c.first, c.last)], dtype=pl.Date)
    days = pl.concat([sessions["session"], judged, ends]).unique().sort().to_frame()
    differs = pl.any_horizontal(pl.col("session").is_in(judged.implode()), *concerned)
    return list(unbroken(days.with_columns(differs=differs), timeframe))


def accepted_by(platform: Platform, decision: Annotation) -> pl.DataFrame:
    """Rows of FINDINGS: what a decision that stands accepts now in its dataset."""
    if decision.decision not in (Decision.ACCEPT, Decision.PREFER_VENDOR):
        return FINDINGS.empty()
    span = (decision.first_session, decision.last_session)
    found = inspected(platform, decision.dataset, *span)[1].accepted
    return found.filter(pl.col("annotation") == decision.id).select(FINDINGS.names)


def listed(
    platform: Platform,
    *,
    dataset: str | None = None,
    symbols: Sequence[str] | None = None,
    sessions: tuple[date, date] | None = None,
    every: bool = False,
) -> pl.DataFrame:
    """Rows of LISTED in the order in which decisions were made.

    Args:
        platform: where they are kept.
        dataset: only about this one; None: all.
        symbols: only about these; None: all.
        sessions: only about some session of these; None: all.
        every: also those that were taken back, and the take-backs.
    """
    found = platform.annotations.read(dataset=dataset, sessions=sessions)
    stands = {a.id for a in standing(found)}
    wanted = [
        a for a in found if (every or a.id in stands) and (symbols is None or a.symbol in symbols)
    ]
    return pl.DataFrame(
        [told(a, stands=a.id in stands) for a in wanted], schema=LISTED, orient="row"
    )


def told(annotation: Annotation, *, stands: bool = True) -> dict[str, Any]:
    """A decision as a row of LISTED."""
    back = annotation.decision is Decision.TAKE_BACK
    what = (
        annotation.vendor
        or ",".join(annotation.codes)
        or annotation.imputation
        or (f"decision {annotation.takes_back}" if back else "")
    )
    state = "take back" if back else "stands" if stands else "taken back"
    row = {name: getattr(annotation, name) for name in LISTED if name not in ("state", "what")}
    return {**row, "decision": str(annotation.decision), "state": state, "what": what}


def timeframe_of(dataset: str) -> Timeframe | None:
    """The timeframe of curated bars of that name; None for any other dataset."""
    return next((t for t in Timeframe if curated_bars(t).name == dataset), None)


def _standing_already(
    platform: Platform, wish: Annotation, *, any_codes: bool = False
) -> Annotation | None:
    """A decision that says the same and stands."""

    def said(annotation: Annotation) -> Annotation:
        codes = () if any_codes else annotation.codes
        return replace(
            annotation, id=None, author="", reason="", codes=codes, created_at=wish.created_at
        )

    found = decisions(platform, wish.dataset, (wish.first_session, wish.last_session))
    return next((a for a in found if said(a) == said(wish)), None)


def _concerned(
    platform: Platform, wish: Annotation, held: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Rows of FINDINGS that a decision accepts, or would accept.

    Args:
        platform: where the data are.
        wish: the decision.
        held: rows of HEARD: what a preferred vendor has.
    """
    if wish.id is not None:
        return accepted_by(platform, wish)
    span = (wish.first_session, wish.last_session)
    seen = inspected(platform, wish.dataset, *span)[1]
    _, accepted = split_accepted(seen.findings, [replace(wish, id=0)], heard=held)
    return accepted.select(FINDINGS.names)


def _accepted(platform: Platform, wish: Annotation) -> Decided:
    """An acceptance with the codes that it accepts, or the one that stands already.

    Raises:
        ConfigurationError: there is nothing to accept, or nothing with one of its codes.
    """
    found = _concerned(platform, wish)
    if wish.id is not None:
        return Decided(wish, found)
    absent = sorted(set(wish.codes) - set(found["code"]))
    if not found.is_empty() and not absent:
        codes = wish.codes or tuple(found["code"].unique().sort())
        return Decided(replace(wish, codes=codes), found)
    # Whoever accepted all that was open, and says so again, means the same decision.
    again = None if wish.codes else _standing_already(platform, wish, any_codes=True)
    if again is not None:
        return Decided(again, accepted_by(platform, again))
    span = (wish.first_session, wish.last_session)
    named = f" with the code {' or '.join(absent)}" if absent else ""
    raise ConfigurationError(
        f"{wish.dataset} has no open finding{named} about {wish.symbol} from {span[0]} to "
        f"{span[1]}; 'emp quality --symbols {wish.symbol} --start {span[0]} --end {span[1]}' "
        "shows what there is"
    )
