"""Print the figures: ``python -m tests.benchmarks [--json | --markdown] [WORD ...]``."""

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
from tests.benchmarks.rows import TABLE, Measure, chosen, log_aside

_HEAD = """
| what | figure | baseline | ratio | goal |
|---|---|---|---|---|
"""


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is chosen and write each row as it is known; gives 1 where something was not measured."""
    reader = argparse.ArgumentParser("./run bench", description="Measure what Tocsin costs.")
    form = reader.add_mutually_exclusive_group()
    form.add_argument("--json", dest="write", action="store_const", const=as_json, help="one object a line")
    form.add_argument("--markdown", dest="write", action="store_const", const=as_markdown, help="a table")
    reader.add_argument("words", nargs="*", metavar="WORD", help="measure only what has it in its name")
    asked = reader.parse_args(words)
    lines = chosen(asked.words)
    if not lines:
        names = "\n".join(f"  {one.subject}: {one.title}" for one in TABLE)
        sys.stderr.write(f"Nothing is called that. There are:\n{names}\n")
        return 1
    write = asked.write or written
    if write is not as_json:
        sys.stdout.write(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    if write is as_markdown:
        sys.stdout.write(_HEAD)
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
            sys.stdout.write(f"{write(row)}\n")
        sys.stdout.flush()
    return 0 if is_whole else 1


def measured(line: Measure) -> list[Row]:
    """Measure in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=log_aside) as process:
        return process.submit(line).result()


def as_json(row: Row) -> str:
    """Write a row for programs."""
    return json.dumps(row.facts())


def as_markdown(row: Row) -> str:
    """Write a row of a table for a page."""
    figures = f"{row.figure:,.3g} | {row.baseline:,.3g} | {row.ratio:.2g}"
    return f"| {row.name} | {figures} | {row.bound}{'' if row.reached else ', missed'} |"


def written(row: Row) -> str:
    """Write a row for people."""
    verdict = "reached" if row.reached else "MISSED"
    figures = f"{row.figure:9.3g}  baseline {row.baseline:9.3g}  ratio {row.ratio:9.3g}"
    return f"{row.name:88} {figures}  goal {row.bound:>9}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
