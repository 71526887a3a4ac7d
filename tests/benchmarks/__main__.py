"""Print the figures: ``python -m tests.benchmarks [--json] [WORD ...]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.benchmarks.row import Row
from tests.benchmarks.rows import TABLE, Measure, chosen


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is chosen and write each row as it is known; gives 1 where something was not measured."""
    reader = argparse.ArgumentParser("./run bench", description="Measure what Tocsin costs.")
    reader.add_argument("--json", action="store_true", help="write one object a line")
    reader.add_argument("words", nargs="*", metavar="WORD", help="measure only what has it in its name")
    asked = reader.parse_args(words)
    lines = chosen(asked.words)
    if not lines:
        names = "\n".join(f"  {one.subject}: {one.title}" for one in TABLE)
        sys.stderr.write(f"Nothing is called that. There are:\n{names}\n")
        return 1
    if not asked.json:
        sys.stdout.write(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    is_whole = True
    for line in lines:
        try:
            rows = measured(line)
        except Exception as error:
            is_whole = False
            sys.stderr.write(
                f"{line.subject}: {line.title}: not measured: {error!r}\n{error.__cause__ or ''}\n"
            )
            continue
        for row in rows:
            sys.stdout.write((json.dumps(row.facts()) if asked.json else written(row)) + "\n")
        sys.stdout.flush()
    return 0 if is_whole else 1


def measured(line: Measure) -> list[Row]:
    """Measure in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(line).result()


def written(row: Row) -> str:
    """Write a row for people."""
    verdict = "reached" if row.reached else "MISSED"
    figures = f"{row.figure:9.3g}  baseline {row.baseline:9.3g}  ratio {row.ratio:9.3g}"
    return f"{row.name:88} {figures}  goal {row.bound:>9}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
