"""`make bench`: measure everything, print each ratio with its bar, fail where one is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

MODULES = ("curation", "delta_store", "graph", "kafka")


def main() -> int:
    """Returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], help="only these")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    ratios = []
    for name in arguments.modules or MODULES:
        print(f"measuring {name} ...", file=sys.stderr)
        for ratio in importlib.import_module(f"benchmarks.{name}").run():
            print(ratio, flush=True)
            ratios.append(ratio)
    if arguments.json:
        content = [{**asdict(r), "ok": r.ok} for r in ratios]
        arguments.json.write_text(json.dumps(content, indent=2))
    return 0 if all(r.ok for r in ratios) else 1


if __name__ == "__main__":
    sys.exit(main())
