"""`make bench`: measure everything, print each ratio with its bar, fail where one is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

MODULES = (
    "curation",
    "features",
    "delta_store",
    "lake",
    "exports",
    "files_to_scores",
    "timescale",
    "cache",
    "kafka",
    "dagster_storage",
    "ranged_run",
    "launch",
    "event_log",
    "long_file",
    "long_backfill",
    "request_budget",
    "vendors",
    "detectors",
    "real_detectors",
    "quality",
)


def main() -> int:
    """Returns 1 when a bar is missed, or a module that was asked for by name measured nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], help="only these")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    ratios, lacking = [], []
    for name in arguments.modules or MODULES:
        print(f"measuring {name} ...", file=sys.stderr)
        found = importlib.import_module(f"benchmarks.{name}").run()
        for ratio in found:
            print(ratio, flush=True)
        ratios += found
        lacking += [] if found else [name]
    if arguments.json:
        content = [{**asdict(r), "ok": r.ok} for r in ratios]
        arguments.json.write_text(json.dumps(content, indent=2))
    if lacking:
        print(
            f"NOT MEASURED for want of servers: {', '.join(lacking)}; 'make services' starts them "
            "and prints the variables to set",
            file=sys.stderr,
        )
    return 0 if all(r.ok for r in ratios) and not (arguments.modules and lacking) else 1


if __name__ == "__main__":
    sys.exit(main())
