"""The operator's own values, from a folder of CSV files that is looked at again and again.

A file is named as rules name its series, ``etf_flow(btc).csv``, with a hyphen for a slash; ``whale_btc.csv``
is ``metric(whale_btc)``. Its columns are those of ``bot.feeds.metrics.files``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.engine.news import sessions_of
from bot.feeds.metrics.files import BadFile, read_metric, series_of
from bot.feeds.metrics.provider import Look, Means, Offer, Plug
from bot.metrics import MetricKey, Observation, Want
from bot.ports import TocsinError
from bot.rules import RuleError

NAME = "files"
FOLDER = "TOCSIN_METRICS_DIR"

_SECONDS = 60.0
_PLAIN = re.compile(r"[\w$(), .-]{1,100}", re.ASCII)
_Seen = tuple[tuple[int, int], list[Observation]]


class Files:
    """Read the files of wanted series, each again only once it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, _Seen] = {}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Read what is wanted. A file that cannot be used is refused with the line that is wrong."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        for want in wants:
            path = file_of(self._folder, want.key)
            try:
                words = await asyncio.to_thread(self._words, path, want.key)
            except BadFile as error:
                refused[want.key] = str(error).replace(str(path), path.name).rstrip(".")
            else:
                found.extend(replace(word, known_at=now) for word in words if word.as_of >= want.since)
        return Look(now + _SECONDS, tuple(found), refused)

    def _words(self, path: Path, key: MetricKey) -> list[Observation]:
        try:
            about = path.stat()
        except OSError:
            raise BadFile(f"{path.name} is not there.") from None
        version = about.st_mtime_ns, about.st_size
        known = self._seen.get(path)
        if known is None or known[0] != version:
            last = {word.as_of: word for word in read_metric(path, key, sessions_of(key))}
            words = [replace(word, revision=0, source=NAME) for word in last.values()]
            known = self._seen[path] = version, words
        return known[1]


def file_of(folder: Path, key: MetricKey) -> Path:
    """Name the file of a series, whether it is there or not."""
    named = folder / f"{str(key).replace('/', '-')}.csv"
    return folder / f"{key.instrument}.csv" if key.metric == "metric" and not named.is_file() else named


def offers_of(folder: Path) -> tuple[Offer, ...]:
    """List what the files of a folder are about; a file that is added later is found too."""
    found: dict[str, list[str]] = {"metric": []}
    for path in sorted(folder.glob("*.csv")):
        key = key_of_name(path.stem.replace("-", "/"))
        if key is not None:
            found.setdefault(key.metric, []).append(key.instrument)

    def accepting(metric: str, instrument: str) -> bool:
        key = MetricKey(metric, instrument)
        return _PLAIN.fullmatch(str(key).replace("/", "-")) is not None and file_of(folder, key).is_file()

    return tuple(
        Offer(metric, tuple(names), lambda one, metric=metric: accepting(metric, one), is_kept=True)  # type: ignore[misc]
        for metric, names in found.items()
    )


def key_of_name(name: str) -> MetricKey | None:
    """Read the name of a metric as rules name it, or the plain name of an operator's own."""
    for text in (name, f"metric({name})"):
        try:
            key, _, is_metric = series_of(text, "usdt")
        except (RuleError, TocsinError, ValueError):
            continue
        if is_metric:
            return key
    return None


def _opened(means: Means) -> tuple[Offer, ...]:
    return offers_of(Path(means.given[FOLDER]))


PLUG = Plug(
    NAME, (Offer("metric", ()),), lambda means: Files(Path(means.given[FOLDER])), FOLDER, opened=_opened
)
