"""Writes docs/features.md from the registry of features: python docs/make_features.py."""

from pathlib import Path

from market_data.features.checks import CHECKS
from market_data.features.confluence import CONFLUENCE_LIMIT, CONFLUENCE_WEIGHTS
from market_data.features.registry import (
    BAR_KINDS,
    FEATURE_TIMEFRAMES,
    GROUPS,
    WARM_UP,
    FeatureGroup,
    Kind,
    group_for,
)
from market_data.timeframes import Timeframe

HEAD = f"""# Features

Numbers that models and people are told about bars. Each group is a dataset, `features/<group>`, and
a table of that name; the key of a row is (symbol, ts). The version is part of the name; each row
carries the digest of the definition that made it. This page is written by
`python docs/make_features.py`.

    emp features list                     # the groups
    emp features list indicators_1d_v1    # the columns of one
    emp features make --start 2024-02-01 --end 2024-02-29
    emp features status --start 2024-02-01 --end 2024-02-29
    emp features get AAPL --start 2024-02-01 --end 2024-02-29
    emp features get AAPL --start 2024-02-01 --end 2024-02-29 --as-of 2024-03-01

The daily run makes them after the scores; in the UI each group is an asset. `emp features make`
makes a range anew, as one run. Rows beside the range that its bars have a part in are made anew
with it: features after it, labels before it, confluence and regime statistics on both sides.

Stored rows stay as they were made until then. `emp annotate`, `emp actions import`, `emp actions
withdraw` and `emp quarantine replay` make the stored ones anew in which what they changed has a
part. Where bars change in other ways after features were made, a frame still gives the numbers of
before, and the check of the dataset tells of rows that would be others now. A frame leaves out,
with a warning, its own rows whose bars readers no longer get; windows, labels and rows of other
timeframes that such a bar had a part in stay. Rows by another definition are refused.

```python
import emp

found = emp.get_features_for_training(
    ["AAPL", "MSFT"],
    "2020-01-02",
    "2023-12-29",
    "1h",
    groups=["price_1h_v1", "indicators_1d_v1", "confluence_v1"],
)
values, missing = found.to_numpy()  # also to_polars(), to_pandas(), to_parquet(path)
found.metadata["groups"]  # versions, definitions, digests of what was read
now = emp.get_features_for_inference(["AAPL"], timeframe="1h", mode="latest")
```

## What holds for all of them

- **Nothing from the future.** A row needs nothing that came after its bar ended (`available_at`).
  A daily bar over a vendor's own day (flag `foreign_day`) has ended when that day has, as the basis
  of the raw bar tells; where no raw bar is left, 60 hours after midnight UTC of its date, when such
  a day is over wherever it is. A row is never known before the one before it.
  In a frame, groups of other timeframes give the newest row that had ended by then, none older than
  14 days. Stored values are those of the newest revision of each bar; what training frames make of
  bars that were restated is said [below](#what-was-known-when).
- **Labels are apart.** They look ahead, are no group that a frame takes as features, and are empty
  in a training frame where they became known only after its last bar had ended.
- **No break at a split.** Prices are put on the share count of the row's own session: a split
  within a window scales what came before it, one after the row has no part in it. Dividends are not
  worked in.
- **Usable bars only.** A window of n bars is n bars that readers get: not those in error or of
  sessions that people marked unusable, not running ones, none made up. What the calendar expects
  and is not there is counted in `num_missing_in_window_*`, and not filled.
- **Empty, never made up.** A cell is empty until its window is full, and where a ratio has nothing
  below its line (TA-Lib says 0 there). An empty volume empties the windows that hold it.
- **Equal to TA-Lib** within 1e-8, from the first value of a series on. Averages without end begin
  {WARM_UP} bars before the stretch that a session lies in (a week of 1m bars; a month of 5m, 15m,
  1h; a year of 4h, 1d), or with the symbol's first bar: one session alone gives the same bits as
  its year.

## What was known when

Vendors restate bars: the same bar comes again with other values. The raw log keeps both.

**A training frame knows no bar better than one could at the time.** No row rests on a revision that
was fetched after the row's end (`available_at`), where an older one was known. Rows between a bar
and its restatement are computed anew, when the frame is made, of the bars as they were until then;
rows after it stay, and so do the stored ones. It holds for windows and averages, for rows of other
timeframes and for confluence. What counts:

- A bar's first revision counts from the bar's end, whenever it was fetched: history that came years
  late has nothing older, and neither has a bar that a vendor told late.
- What was fetched while a bar was running is no revision of it.
- A restatement that changes nothing in the bar that readers get (another vendor's bar, a count of
  trades) changes no row.
- A row whose own bar could not be used at the time (prices that were refused, a dispute of vendors)
  is not there, as it was not then.
- Corporate actions, decisions of people, flags and the rules of curation are those of today. A
  split counts from its ex-date, whoever told it when.
- Labels rest on the newest revisions: they say what came to be.
- With `outdated=True`, rows by another definition stay as they are stored.

`metadata["restated"]` tells how many rows rest on former bars, of how many sessions, and how many
rows are left out; `recorded` is false where the raw logs hold no bar of the frame's timeframes, so
that nobody can tell. The logs lie in the lake, also where TimescaleDB keeps the features: a frame
fails where the lake does not answer. Where nothing was restated, this costs one look at the keys in
the raw logs. Else it costs a computation per symbol and moment of restatement: a year of daily bars
with 28 such moments took three seconds. `revisions="newest"` (`--revisions newest`) leaves it out,
and asks the store alone.

**As of a moment** (`as_of=`, `--as-of`) the whole frame, labels too, is what it would have been if
it had been made then of everything known then: bars, corporate actions, macro releases, decisions
of people. A bar that came late is not there before it came. The frame is made on the spot of the
raw logs, by the definitions and rules in force; no stored row is read or written, and
`metadata["as_of"]` names the moment.

`get_features_for_inference` and predictions are about now: they take stored rows, of the newest
revisions.

## The checks

Each dataset is checked session by session; [check-features.md](runbooks/check-features.md) says
what to do.

| check | what it holds |
|---|---|
"""


def page() -> str:
    """The text of the page."""
    lines = [HEAD, *(f"| {name} | {text} |\n" for name, text in CHECKS.items())]
    timeframes = ", ".join(FEATURE_TIMEFRAMES)
    lines.append(f"\n`<tf>` is one of {timeframes}; the columns of a kind are the same in each.\n")
    lines += [_section(group_for(kind, Timeframe.D1), f"{kind}_<tf>_v1") for kind in BAR_KINDS]
    others = [group_for(kind) for kind in (Kind.CONFLUENCE, Kind.MACRO_CONTEXT)]
    lines += [_section(group, group.key) for group in others]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in CONFLUENCE_WEIGHTS.items())
    lines.append(
        f"\nWeights of confluence: {weights}; a signal needs more than {CONFLUENCE_LIMIT:g} of "
        "100.\n"
        "\n## marts/regime_stats\n\nBars, wins and returns of the next bar by symbol, session, "
        "timeframe, regime and volatility. All numbers add up: mean and deviation over any "
        "sessions follow from the sums, as the table of each run shows.\n"
        "\n## features/predictions\n\nA run of this asset asks a model of yours about every bar of "
        "its range: `model: package.module:name`, `timeframe`, `groups` in the run's "
        "configuration. The model has `name`, `version` and `predict(frame)`, which gives a number "
        "per row or several by name; `needs` names features that must not be empty. Rows keep the "
        "versions of the model and of the features; a row in which a needed feature is missing "
        "has no value. Where every row of a run (of a month or year of it) is like that, the "
        "model is not asked: its outputs are those that it had in the 60 days before, and there "
        "are no rows if it had none. Numbers without end are refused; NaN is no value, which the "
        "run's `rows_without_value` counts. Rows of other models, versions and timeframes stay. "
        "Checks tell of rows that are missing, of features that are others by now, of versions "
        "that speak no more, and of outputs that never have a value, see "
        "[quality.md](quality.md).\n"
        "\n## Definitions in force\n\n| group | definition |\n|---|---|\n"
    )
    lines += [f"| {group.key} | `{group.definition}` |\n" for group in GROUPS]
    return "".join(lines)


def _section(group: FeatureGroup, title: str) -> str:
    rows = "".join(
        f"| `{f.name}` | {f.text} | {f.unit} | {f.warm_up} | {f.source} |\n" for f in group.features
    )
    return (
        f"\n## {title}\n\n| column | meaning | unit | bars before the first value | source |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def main() -> None:
    """Write the page."""
    Path(__file__).with_name("features.md").write_text(page())


if __name__ == "__main__":
    main()
