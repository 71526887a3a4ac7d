"""Print the figures: ``python -m tests.benchmarks [--json]``."""

from __future__ import annotations

import json
import os
import platform
import sys

from tests.benchmarks.rows import Sizes, rows


def main() -> None:
    """Measure all rows and write each as it is known; --json writes one object a line."""
    is_json = "--json" in sys.argv[1:]
    if not is_json:
        sys.stdout.write(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    for row in rows(Sizes()):
        if is_json:
            sys.stdout.write(json.dumps(row.facts()) + "\n")
        else:
            bound = f"{row.goal:g} times" if row.is_of_ratio else f"{row.goal:g}"
            verdict = "reached" if row.reached else "MISSED"
            figures = f"{row.figure:9.3g}  baseline {row.baseline:9.3g}  ratio {row.ratio:9.3g}"
            sys.stdout.write(f"{row.name:70} {figures} goal {bound}: {verdict}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
