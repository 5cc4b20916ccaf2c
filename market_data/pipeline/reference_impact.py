"""What a changed configuration of instruments, calendars or priorities puts out of date.

What belongs here: comparing the reference tables as they were published with what the
configuration says now, and finding the stored sessions that it concerns.
What does not: the tables (market_data/reference/tables.py), making sessions anew (curate.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.datasets import SCORES_DATASET, raw_bars
from market_data.pipeline.holdings import should_hold
from market_data.pipeline.platform import Platform
from market_data.pipeline.rules import rules_in_force
from market_data.reference.tables import instruments_table, moved_sessions, sessions_table
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS
from market_data.timeframes import Timeframe
from market_data.universe import Universe

YEAR_AHEAD = timedelta(days=365)
_OUTDATED = pl.Schema(
    {"dataset": pl.String(), "symbol": pl.String(), "session": pl.Date(), "reason": pl.String()}
)


@dataclass(frozen=True)
class ReferenceImpact:
    """What differs from the published tables, and what that concerns.

    Attributes:
        moved: calendar, session, change: sessions that are not what they were.
        symbols: symbol, change: instruments that are new, gone, or say something else.
        outdated: dataset, symbol, session, reason: stored sessions of a moved session (what came
            from vendors, and what was curated), and curated ones made by other rules: another
            vendor priority, other limits. Curated sessions are known by their scores.
        gaps: symbol, timeframe, missing, first, last: sessions that the store should hold and of
            which no vendor has ever sent a row, whatever its partitions show.
    """

    moved: pl.DataFrame
    symbols: pl.DataFrame
    outdated: pl.DataFrame
    gaps: pl.DataFrame

    def sentences(self) -> list[str]:
        """The differences in words, one line each; none where nothing differs."""
        lines = [
            f"{row['symbol']}: {row['change']}"
            for row in self.symbols.head(20).iter_rows(named=True)
        ]
        if self.symbols.height > 20:
            lines.append(f"{self.symbols.height - 20} more instruments differ")
        for calendar, change, sessions, first, last in (
            self.moved.group_by("calendar", "change", maintain_order=True)
            .agg(pl.len(), pl.col("session").min().alias("first"), pl.col("session").max())
            .iter_rows()
        ):
            span = str(first) if first == last else f"between {first} and {last}"
            lines.append(f"{calendar}: {change}: {sessions} ({span})")
        for dataset, reason, sessions, symbols, first, last in (
            self.outdated.group_by("dataset", "reason", maintain_order=True)
            .agg(
                pl.len(),
                pl.col("symbol").n_unique().alias("symbols"),
                pl.col("session").min().alias("first"),
                pl.col("session").max(),
            )
            .iter_rows()
        ):
            lines.append(
                f"{dataset}: {sessions} sessions of {symbols} symbols are out of date ({reason}; "
                f"{first} to {last})"
            )
        return lines


def published_span(universe: Universe, now: date) -> tuple[date, date]:
    """First and last session that the table of trading sessions holds on a day."""
    return universe.first_session, now + YEAR_AHEAD


def reference_impact(
    platform: Platform,
    instruments: pl.DataFrame | None,
    sessions: pl.DataFrame | None,
    *,
    with_gaps: bool = True,
) -> ReferenceImpact:
    """Compare the published tables with the configuration that the platform was opened with.

    Args:
        platform: whose universe is the new one.
        instruments: rows of INSTRUMENTS as published; None where nothing was.
        sessions: rows of TRADING_SESSIONS as published; None where nothing was.
        with_gaps: also look for gaps, which takes the ledger of every symbol.

    Raises:
        ConfigurationError: a calendar is unknown.
    """
    today = platform.clock.now().date()
    moved = _moved(platform.universe, sessions, today)
    concerned = [_of_moved(platform, moved), _of_other_rules(platform)]
    return ReferenceImpact(
        moved=moved,
        symbols=changed_instruments(platform.universe, instruments),
        outdated=pl.concat([pl.DataFrame(schema=_OUTDATED), *concerned])
        .unique(maintain_order=True)
        .sort("dataset", "reason", "symbol", "session"),
        gaps=find_gaps(platform) if with_gaps else _no_gaps(),
    )


def _moved(universe: Universe, published: pl.DataFrame | None, today: date) -> pl.DataFrame:
    """Moved sessions of the calendars and the span that were published."""
    before = TRADING_SESSIONS.empty() if published is None else TRADING_SESSIONS.conform(published)
    if before.is_empty():
        return moved_sessions(before, before)
    # The table is a day short for each day that has passed; that is no change of a calendar.
    first, last = published_span(universe, today)
    ends = before.group_by("calendar").agg(
        since=pl.col("session").min(), until=pl.col("session").max()
    )
    after = (
        sessions_table(universe, first, last)
        .join(ends, on="calendar", how="inner")
        .filter(pl.col("session").is_between("since", "until"))
    )
    still = before.filter(pl.col("calendar").is_in(after["calendar"].unique().implode()))
    return moved_sessions(still, after.select(TRADING_SESSIONS.names))


def changed_instruments(universe: Universe, published: pl.DataFrame | None) -> pl.DataFrame:
    """Instruments that differ from the published ones.

    Args:
        universe: what the configuration says.
        published: rows of INSTRUMENTS; None where nothing was published.

    Returns:
        symbol, change ("new", "gone", or what is another), sorted by symbol.
    """
    now = instruments_table(universe)
    before = INSTRUMENTS.empty() if published is None else INSTRUMENTS.conform(published)
    told = [c for c in INSTRUMENTS.names if c not in ("symbol", "name")]
    sides = before.with_columns(there=True).join(
        now.with_columns(there=True), on="symbol", how="full", coalesce=True
    )
    named = pl.concat_list(
        pl.when(pl.col(c).ne_missing(pl.col(f"{c}_right"))).then(pl.lit(c)) for c in told
    ).list.drop_nulls()
    change = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit("new"))
        .when(pl.col("there_right").is_null())
        .then(pl.lit("gone"))
        .when(named.list.len() > 0)
        .then(pl.format("changed: {}", named.list.join(", ")))
    )
    return sides.select("symbol", change=change).drop_nulls("change").sort("symbol")


def _of_moved(platform: Platform, moved: pl.DataFrame) -> pl.DataFrame:
    """Stored sessions of the calendars and days that moved."""
    if moved.is_empty():
        return pl.DataFrame(schema=_OUTDATED)
    calendars = instruments_table(platform.universe).select("symbol", "calendar")
    concerned = calendars.join(moved, on="calendar").select("symbol", "session")
    symbols = concerned["symbol"].unique().to_list()
    first, last = _span(concerned)
    asked = platform.ledger.read(symbols=symbols, sessions=(first, last)).filter(pl.col("rows") > 0)
    names = {
        (vendor, timeframe): raw_bars(vendor, Timeframe(timeframe)).name
        for vendor, timeframe in asked.select("vendor", "timeframe").unique().iter_rows()
    }
    raw = pl.concat(
        [
            pl.DataFrame(schema={"dataset": pl.String, "symbol": pl.String, "session": pl.Date}),
            *(
                asked.filter(vendor=vendor, timeframe=timeframe).select(
                    dataset=pl.lit(name), symbol="symbol", session="session"
                )
                for (vendor, timeframe), name in names.items()
            ),
        ]
    )
    curated = platform.store.scan(
        SCORES_DATASET,
        symbols=symbols,
        sessions=(first, last),
        columns=["dataset", "symbol", "session"],
    )
    return (
        pl.concat([raw, curated])
        .join(concerned, on=["symbol", "session"], how="semi")
        .with_columns(reason=pl.lit("its session moved"))
    )


def _span(frame: pl.DataFrame) -> tuple[date, date]:
    """First and last session of a frame that has rows."""
    first, last = frame.select(
        pl.col("session").min().alias("first"), pl.col("session").max().alias("last")
    ).row(0)
    return first, last


def _of_other_rules(platform: Platform) -> pl.DataFrame:
    """Curated sessions that were scored under other limits or another vendor priority.

    What is in force is that of their asset class and timeframe.
    """
    scored = platform.store.scan(
        SCORES_DATASET, columns=["dataset", "symbol", "session", "rule_version"]
    )
    return (
        scored.filter(pl.col("rule_version") != rules_in_force(platform))
        .drop("rule_version")
        .with_columns(reason=pl.lit("other limits or vendor priority"))
    )


def find_gaps(platform: Platform) -> pl.DataFrame:
    """Sessions that the store should hold and that no vendor ever sent a row of.

    Returns:
        symbol, timeframe, missing (Int64), first, last (Date), sorted by symbol and timeframe.
    """
    universe, now = platform.universe, platform.clock.now()
    parts = [_no_gaps()]
    for timeframe in Timeframe:
        vendors = [v.name for v in universe.vendors_of(timeframe)]
        if not vendors:
            continue
        held = should_hold(platform, vendors, [timeframe], universe.first_session, now.date())
        over = held.filter(pl.col("expected") > 0, pl.col("close") <= now)
        there = platform.ledger.read(timeframe=timeframe, vendors=vendors).filter(
            pl.col("rows") > 0
        )
        parts.append(
            over.join(there, on=["symbol", "session"], how="anti")
            .group_by("symbol")
            .agg(
                missing=pl.len().cast(pl.Int64),
                first=pl.col("session").min(),
                last=pl.col("session").max(),
            )
            .select("symbol", pl.lit(str(timeframe)).alias("timeframe"), "missing", "first", "last")
        )
    return pl.concat(parts).sort("symbol", "timeframe")


def _no_gaps() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "symbol": pl.String,
            "timeframe": pl.String,
            "missing": pl.Int64,
            "first": pl.Date,
            "last": pl.Date,
        }
    )
