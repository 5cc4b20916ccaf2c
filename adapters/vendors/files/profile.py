"""What the platform knows of files before it reads them.

What belongs here: the options of the reader, how its vendor is made of them.
What does not: formats (spec.py), reading.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.vendors.profile import Means, Options, VendorProfile
from market_data.answer_shapes import AnswerFields
from market_data.errors import ConfigurationError
from market_data.ports import Vendor
from market_data.schemas import PRICES
from market_data.universe import VendorConfig

Place = str | Path | tuple[str | Path, ...]


def _day(value: Any) -> date | None:
    """A day of a configuration, where YAML reads it as a date or as a text."""
    try:
        if value is None or isinstance(value, date):
            return value
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"it is {value!r}; it takes a day like 2018-01-20") from error


class FeedOptions(Options):
    """Files of one format."""

    path: Place = ""
    """File or folder, or several."""

    spec: str = ""
    """Name of their format in config/formats, or a format's own file."""


class FilesOptions(FeedOptions):
    """What an entry of the universe may say, or a run; a path or a format goes before the feeds."""

    feeds: tuple[FeedOptions, ...] = ()
    """Files of several timeframes."""

    prices_as_of: Annotated[date | None, BeforeValidator(_day)] = None
    """Day on which split-adjusted files were exported."""


def _build(config: VendorConfig, options: FilesOptions, means: Means) -> Vendor:
    from adapters.vendors.files.spec import load_format
    from adapters.vendors.files.vendor import Feed, FilesVendor
    from adapters.vendors.files.window import EARLIEST

    formats = means.settings.config_dir / "formats"
    first, *others = (Feed(load_format(f.spec, formats), f.path) for f in _feeds(config, options))
    return FilesVendor(
        config.name,
        first.spec,
        first.paths,
        also=others,
        prices_as_of=options.prices_as_of,
        earliest=means.earliest or EARLIEST,
    )


def _feeds(config: VendorConfig, options: FilesOptions) -> tuple[FeedOptions, ...]:
    """The feeds, or the single one of a path and a format, completed from the only feed.

    Raises:
        ConfigurationError: a path or a format is not said, or not which feed is meant.
    """
    feeds = options.feeds
    if options.path or options.spec or not feeds:
        if len(feeds) > 1 and not (options.path and options.spec):
            raise ConfigurationError(
                f"vendor {config.name!r} has several feeds: name the path and the spec"
            )
        only = feeds[0] if feeds else FeedOptions()
        feeds = (FeedOptions(path=options.path or only.path, spec=options.spec or only.spec),)
    if not all(feed.path and feed.spec for feed in feeds):
        raise ConfigurationError(
            f"vendor {config.name!r}: the reader 'files' needs a path and a spec, in its options "
            "or for the run"
        )
    return feeds


FIELDS = AnswerFields(read=(*PRICES, "volume"), by_reader=True)
"""Fields are named by their role, not by what a header calls them: see layout.py."""

PROFILE = VendorProfile(
    reader="files",
    fields=FIELDS,
    options=FilesOptions,
    # Nobody says when a file came: its bars count as known at their end.
    delay=timedelta(0),
    # A longer or a corrected file may come at any time.
    settling=None,
    build=_build,
)
